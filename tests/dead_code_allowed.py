"""What the product has though nobody in it calls it, and why: see `tests.support.dead_code`.

Only the names count. One line each, by the reason.
"""

# ruff: noqa: B018, F821
# mypy: ignore-errors

# Overridden or implemented for Tortoise.
_in_transaction, client_class, reduces_to_sql, reversible, state_forward, database_forward
old_state, new_state, dependencies, initial, exc_val, exc_tb
exc_val, exc_tb

# Overridden or implemented for amqtt (broker.server).
authenticate, topic_filtering, feed_eof, get_peer_info, get_ssl_info
handle_publish, handle_pubrel, handle_puback, retain_message, source_session
add_subscription, _del_subscription, _del_all_subscriptions
_publish_retained_messages_for_subscription, _broadcast_message

# Overridden or set for uvicorn and gmqtt.
capture_signals, should_exit
push_message, remove_message_by_mid, get_all, wait_empty, is_empty
on_connect, on_message, on_subscribe, on_disconnect

# Entry points of the services.
build

# Fields that leave the process: problem documents, answers, rows.
pointer, instance, building_name, confirmed_wipe_at, at_ms, dup, deleted_at
actor_name

# Set for Tortoise and asyncpg.
abstract, connection_class

# The link in a file's answer leads to it, by path.
fetch_thumbnail

# The level of shops, whose feature comes; a decision reads it by name.
shop_id

# A flag of MQTT that a reader of packets keeps and nobody acts on.
dup

# Read by name: how long the emulator waits in each state.
t_ads, t_dial, t_pin, t_admin, t_settings, t_message, t_connecting

# The emulator's scripted faults: for tests and for whoever tries things out.
FaultyLink, thaw, weather, __call__

# The ground for the rooms that come: work later or elsewhere, and words to the outside world.
dead, revive
