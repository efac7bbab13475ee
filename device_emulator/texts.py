"""Every sentence a station shows, in the languages it knows."""

from typing import Final

TEXTS: Final[dict[str, tuple[str, str]]] = {
    "boot": ("正在启动", "Starting"),
    "unregistered": ("未注册", "Not registered"),
    "user_code": ("校验码 {}", "Check code {}"),
    "number": ("核对号码 {}", "Compare number {}"),
    "conflict": (
        "MAC 地址已被其他设备占用，请联系物业",
        "Another box has this MAC: ask the property",
    ),
    "suspended": ("设备已停用", "This station is suspended"),
    "mistrusted": ("平台身份不符，拒绝连接", "This is not the platform I know"),
    "no_platform": ("正在联系平台", "Calling the platform"),
    "registered": ("已注册", "Registered"),
    "connecting": ("正在连接", "Connecting"),
    "home": ("输入房号 / * 密码 / 刷卡", "Room number / * PIN / card"),
    "ads": ("广告", "Advertising"),
    "room": ("房号 {}", "Room {}"),
    "no_calls": ("呼叫功能未启用", "Calls are not available yet"),
    "pin": ("请输入密码 {}", "Enter your PIN {}"),
    "checking": ("请稍候", "One moment"),
    "open": ("开门成功", "The door is open"),
    "locked": ("请稍后再试 {}", "Please try again in {}"),
    "admin": ("请输入管理密码 {}", "Admin password {}"),
    "admin_wrong": ("密码错误", "Wrong password"),
    "admin_blocked": ("密码错误次数过多，请稍后再试", "Too many wrong passwords, try later"),
    "settings": ("1 WiFi 2 重启 3 声音 4 亮度", "1 Wi-Fi 2 Restart 3 Volume 4 Brightness"),
    "wifi": ("WiFi 网络 {} (* 确认)", "Wi-Fi network {} (* to confirm)"),
    "restart": ("按 * 重启", "* to restart"),
    "volume": ("声音 {} (* 确认)", "Volume {} (* to confirm)"),
    "brightness": ("亮度 {} (* 确认)", "Brightness {} (* to confirm)"),
    "denied": ("无权限", "No access"),
    "denied.unknown": ("卡片或密码无效", "Unknown card or code"),
    "denied.expired": ("授权已过期", "The permission has ended"),
    "denied.schedule": ("不在授权时间内", "Not at this time"),
    "denied.lockdown": ("门禁已封锁", "Locked down"),
    "denied.clock_untrusted": ("时钟未校准，请稍后再试", "The clock is not set, try later"),
    "evac": ("紧急疏散，门已打开", "Evacuation: the door is open"),
    "lockdown": ("门禁已封锁", "Locked down"),
    "offline": ("离线", "Offline"),
}

LANGUAGES: Final = ("zh", "en")


def text(language: str, name: str, *facts: object) -> str:
    """The sentence `name` with its facts."""
    both = TEXTS[name]
    return both[LANGUAGES.index(language)].format(*facts)
