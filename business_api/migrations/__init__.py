"""The history of this room's tables."""

MODELS = [
    "business_api.accounts.models",
    "business_api.organisations.models",
    "business_api.dictionary.models",
    "business_api.places.models",
    "business_api.people.models",
    "business_api.residents.models",
    "business_api.files.models",
    "business_api.sms.models",
    "business_api.messages.models",
    "business_api.certification.models",
    "business_api.imports.models",
    "business_api.idempotency_models",
]
