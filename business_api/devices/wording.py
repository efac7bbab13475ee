"""What became of an opening, in words for the person who pressed the button.

Only the station's own answer is told as "open". Anything not listed here is told by its
state alone, so a code that a newer station knows is never shown as a success.
"""

from typing import Final

from business_api.language import Language
from device_registry.devices.states import CommandState

Words = dict[Language, str]

_STATES: Final[dict[CommandState, Words]] = {
    CommandState.SENT: {
        "zh": "开门指令已发送，等待门口机回应",
        "en": "Sent; the station has not answered yet",
    },
    CommandState.EXECUTED: {"zh": "门已打开", "en": "The door is open"},
    CommandState.REFUSED: {"zh": "未能开门", "en": "The door was not opened"},
    CommandState.OFFLINE: {
        "zh": "设备离线，未能开门",
        "en": "The station is offline; the door was not opened",
    },
    CommandState.UNKNOWN: {
        "zh": "未确认，请看门",
        "en": "No confirmation in time; look at the door",
    },
}

_REFUSALS: Final[dict[str, Words]] = {
    # by the station
    "expired": {"zh": "网络过慢，指令已过期，请重试", "en": "Too late when it arrived; try again"},
    "replay": {"zh": "指令重复，未再次开门", "en": "A repeated command; nothing was opened"},
    "bad_mac": {"zh": "门口机拒绝了指令", "en": "The station did not believe the command"},
    "wrong_sess": {
        "zh": "门口机刚重新连接，请重试",
        "en": "The station just reconnected; try again",
    },
    "lockdown": {"zh": "门禁已封锁，暂不能远程开门", "en": "The door is in lockdown"},
    "busy": {"zh": "门口机忙，请稍后再试", "en": "The station is busy; try again in a moment"},
    "no_door": {"zh": "该门口机没有这个门", "en": "The station has no such door"},
    "rate": {"zh": "操作过快，请稍后再试", "en": "Too fast; try again in a moment"},
    # by us, before anything was sent
    "no_grant": {"zh": "没有以该房屋名义开此门的权限", "en": "No right in the name of that house"},
    "limit_person": {"zh": "您开门过于频繁，请稍后再试", "en": "You open too often; wait a minute"},
    "limit_door": {"zh": "此门开启过于频繁，请稍后再试", "en": "This door opens too often now"},
    "person_suspended": {"zh": "您的远程开门权限已暂停", "en": "Your remote opening is suspended"},
    "grant_not_yet": {"zh": "开门权限尚未生效", "en": "The right does not begin yet"},
    "grant_expired": {"zh": "开门权限已过期", "en": "The right is over"},
    "awaiting": {"zh": "门口机尚未注册完成", "en": "The station is not registered yet"},
    "confirm": {"zh": "门口机尚未确认", "en": "The station is not confirmed yet"},
    "suspended": {"zh": "门口机已停用", "en": "The station is suspended"},
    "quarantined": {"zh": "门口机因安全原因已隔离", "en": "The station is in quarantine"},
}


_OUTCOMES: Final[dict[str, Words]] = {
    "sent": {"zh": "等待回应", "en": "sent"},
    "executed": {"zh": "已开门", "en": "opened"},
    "granted": {"zh": "已开门", "en": "opened"},
    "refused": {"zh": "已拒绝", "en": "refused"},
    "denied": {"zh": "已拒绝", "en": "denied"},
    "offline": {"zh": "设备离线", "en": "offline"},
    "unknown": {"zh": "未确认", "en": "unknown"},
}

_METHODS: Final[dict[str, Words]] = {
    "remote": {"zh": "远程开门", "en": "remote"},
    "call": {"zh": "对讲开门", "en": "call"},
    "card": {"zh": "门禁卡", "en": "card"},
    "fp": {"zh": "指纹", "en": "fingerprint"},
    "pin": {"zh": "密码", "en": "PIN"},
    "ble": {"zh": "蓝牙", "en": "Bluetooth"},
    "button": {"zh": "出门按钮", "en": "exit button"},
}


def outcome_word(outcome: str, language: Language) -> str:
    """An outcome in 开门记录; one that is not known here as it is."""
    return _OUTCOMES[outcome][language] if outcome in _OUTCOMES else outcome


def method_word(method: str, language: Language) -> str:
    """A method in 开门记录; one that is not known here as it is."""
    return _METHODS[method][language] if method in _METHODS else method


def told(state: CommandState, code: str, language: Language) -> str:
    """One line for a person. `code` counts only for a refusal."""
    if state is CommandState.REFUSED and code in _REFUSALS:
        return _REFUSALS[code][language]
    return _STATES[state][language]
