"""Every setting of gpt2giga, and what becomes of those that mean nothing any more."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Final, Literal, NamedTuple

Family = Literal["gpt2giga", "gigachat"]
"""Whose setting it is: the program's own (``GPT2GIGA_*``, ``--proxy-*``) or the SDK's."""
Kind = Literal["value", "switch", "secret"]
"""A switch may stand alone on the command line; a secret should not stand there at all."""


class Name(NamedTuple):
    """One setting, in small letters with underscores."""

    family: Family
    name: str

    @property
    def variable(self) -> str:
        """As the environment spells it."""
        return f"{self.family}_{self.name}".upper()

    @property
    def flag(self) -> str:
        """As the command line spells it."""
        prefix = "proxy" if self.family == "gpt2giga" else "gigachat"
        return f"--{prefix}-{self.name.replace('_', '-')}"


class Remark(NamedTuple):
    """Why a setting does nothing here, and the values that therefore need no remark."""

    text: str
    usual: tuple[str, ...] = ()


OFF: Final = ("false", "0", "no", "off")
ON: Final = ("true", "1", "yes", "on")

_USED: Final[dict[Family, dict[Kind, str]]] = {
    "gpt2giga": {
        "switch": "use_https pass_model pass_token enable_images verbose enable_api_key_auth"
        " traffic_log_enabled traffic_log_capture_content enable_reasoning disable_reasoning",
        "secret": "api_key",
        "value": "host port https_key_file https_cert_file mode shutdown_timeout_seconds"
        " max_request_body_bytes cors_allow_origins cors_allow_methods cors_allow_headers"
        " pass_token_client_cache_size embeddings gigachat_api_mode model_max_connections"
        " model_max_connections_default model_max_connections_acquire_timeout log_level"
        " log_filename log_max_size traffic_log_sink traffic_log_sinks traffic_log_jsonl_path"
        " traffic_log_queue_size default_max_tokens structured_output_mode"
        " max_audio_file_size_bytes max_image_file_size_bytes max_text_file_size_bytes"
        " max_audio_image_total_size_bytes",
    },
    "gigachat": {
        "switch": "verify_ssl_certs",
        "secret": "credentials access_token user password key_file_password",
        "value": "base_url auth_url scope model timeout ca_bundle_file cert_file key_file"
        " max_connections max_retries session_id",
    },
}

_NO_DATABASE: Final = "the traffic log is written as JSONL only"
_NO_TRACES: Final = "traces are not sent anywhere; GET /metrics and the traffic log show requests"
_NO_ADMIN: Final = "there is no admin interface of this kind"
_NO_STITCHING: Final = "conversations are kept by the client"
_NOT_YET: Final = "this version cannot change it"

REMARKS: Final[dict[Name, Remark]] = {
    Name("gpt2giga", name): Remark(text, usual)
    for name, text, usual in (
        ("disable_builtin_tool_mapping", _NOT_YET, OFF),
        ("log_redact_sensitive", "secrets are always masked", ON),
        ("logs_ip_allowlist", "there is no /logs page; read the log file", ("[]",)),
        ("logs_trusted_proxies", "there is no /logs page; read the log file", ("[]",)),
        ("normalization_mode", "there is one way of translating", ("off",)),
        ("legacy_chat_fallback", "there is one way of translating", ON),
        ("conversation_stitching_enabled", _NO_STITCHING, OFF),
        ("conversation_ttl_seconds", _NO_STITCHING, ("3600",)),
        ("conversation_max_messages", _NO_STITCHING, ("40",)),
        ("conversation_use_session_id", _NO_STITCHING, OFF),
        ("conversation_on_divergence", _NO_STITCHING, ("client_wins",)),
        ("ui_enabled", _NO_ADMIN, OFF),
        ("harness_model_key", "it belongs to a part that is not here", ()),
        ("traffic_log_postgres_dsn", _NO_DATABASE, ()),
        ("traffic_log_batch_size", "records are written as they come", ("500",)),
        ("traffic_log_flush_interval_ms", "records are written as they come", ("2000",)),
        ("traffic_log_drop_on_backpressure", "requests never wait for a log", ON),
        ("traffic_log_redact_sensitive", "secrets are always masked", ON),
        ("traffic_log_redact_extra_keys", _NOT_YET, ("[]",)),
        ("traffic_log_retention_days", "files are kept by size: traffic_log.keep", ("30",)),
        ("traffic_log_purge_interval_seconds", "files are kept by size", ("3600",)),
        ("opensearch_url", _NO_DATABASE, ()),
        ("opensearch_username", _NO_DATABASE, ()),
        ("opensearch_password", _NO_DATABASE, ()),
        ("opensearch_index", _NO_DATABASE, ("gpt2giga-traffic",)),
        ("opensearch_data_stream", _NO_DATABASE, ON),
        ("opensearch_bulk_size", _NO_DATABASE, ("500",)),
        ("opensearch_flush_interval_ms", _NO_DATABASE, ("2000",)),
        ("observability_enabled", _NO_TRACES, OFF),
        ("observability_backend", _NO_TRACES, ("phoenix", "noop")),
        ("observability_sample_rate", _NO_TRACES, ("1.0", "1")),
        ("observability_queue_size", _NO_TRACES, ("10000",)),
        ("observability_drop_on_backpressure", _NO_TRACES, ON),
        ("observability_capture_content", _NO_TRACES, OFF),
        ("observability_capture_messages", _NO_TRACES, OFF),
        ("observability_capture_tool_args", _NO_TRACES, OFF),
        ("observability_capture_responses", _NO_TRACES, OFF),
        ("observability_max_content_length", _NO_TRACES, ("8000",)),
        ("observability_redaction_enabled", _NO_TRACES, ON),
        ("phoenix_collector_endpoint", _NO_TRACES, ("http://localhost:4317",)),
        ("phoenix_project_name", _NO_TRACES, ("gpt2giga",)),
        ("phoenix_api_key", _NO_TRACES, ()),
        ("metrics_enabled", "metrics are always at /metrics", ON),
        ("metrics_path", "metrics are always at /metrics", ("/metrics",)),
        ("admin_api_enabled", _NO_ADMIN, OFF),
        ("admin_api_key", _NO_ADMIN, ()),
        ("debug_translate_enabled", _NO_ADMIN, OFF),
        ("replay_enabled", _NO_ADMIN, OFF),
    )
} | {
    Name("gigachat", name): Remark(text, usual)
    for name, text, usual in (
        ("mtls_auth", "the certificate files alone decide", (*ON, *OFF)),
        ("profanity_check", f"it follows the request; {_NOT_YET}", ()),
        ("flags", f"they follow the request; {_NOT_YET}", ()),
        ("verbose", "GPT2GIGA_LOG_LEVEL=DEBUG shows requests and answers", OFF),
        ("use_auth", "credentials are used if there are any", ON),
        ("ssl_context", "a program's object cannot be given here; use GIGACHAT_CA_BUNDLE_FILE", ()),
        ("retry_backoff_factor", "the gateway chooses its pauses", ("0.5",)),
        ("retry_on_status_codes", "the gateway knows which answers to try again", ()),
        ("token_expiry_buffer_ms", "tokens are fetched ahead of their end", ("60000",)),
    )
}  # fmt: skip
"""Settings that are accepted and do nothing."""

_SECRETS_WITHOUT_MEANING: Final = frozenset({
    "admin_api_key", "opensearch_password", "phoenix_api_key", "traffic_log_postgres_dsn",
})  # fmt: skip

ALIASES: Final = {
    Name("gpt2giga", "proxy_port"): Name("gpt2giga", "port"),
    Name("gpt2giga", "timeout"): Name("gigachat", "timeout"),
}
"""Second names, as documentation and code of one release differ."""

KINDS: Final[dict[Name, Kind]] = {
    Name(family, name): kind
    for family, kinds in _USED.items()
    for kind, names in kinds.items()
    for name in names.split()
}
KINDS.update({alias: KINDS[name] for alias, name in ALIASES.items()})
KINDS.update({
    name: "secret" if name.name in _SECRETS_WITHOUT_MEANING
    else "switch" if set(remark.usual) & {"true", "false"} else "value"
    for name, remark in REMARKS.items()
})  # fmt: skip


_PREFIXES: Final[dict[str, Family]] = {
    "proxy": "gpt2giga",
    "gpt2giga": "gpt2giga",
    "gigachat": "gigachat",
}


def named_by_variable(variable: str) -> Name | None:
    """The setting that an environment variable sets; its case does not matter."""
    family, _, name = variable.lower().partition("_")
    for known in ("gpt2giga", "gigachat"):
        if family == known and (found := Name(known, name)) in KINDS:
            return found
    return None


def named_by_flag(flag: str) -> Name | None:
    """The setting of a flag without its dashes: ``proxy-port``, ``proxy.port``, ``port``."""
    plain = _plain(flag)
    family, _, name = plain.partition("_")
    candidates = [Name("gpt2giga", plain), Name("gigachat", plain)]
    if family in _PREFIXES:
        candidates.insert(0, Name(_PREFIXES[family], name))
    return next((one for one in candidates if one in KINDS), None)


def nearest_variable(variable: str) -> str:
    """What to do about a variable that does not exist."""
    found = _nearest(_plain(variable))
    return _remedy(found.variable if found else None)


def nearest_flag(flag: str) -> str:
    """What to do about a flag without its dashes that does not exist."""
    found = _nearest(_plain(flag))
    return _remedy(found.flag if found else None)


def _plain(flag: str) -> str:
    return flag.lower().replace("-", "_").replace(".", "_")


def _nearest(plain: str) -> Name | None:
    family, _, name = plain.partition("_")
    meant = _PREFIXES.get(family)
    known = {one.name: one for one in KINDS if meant in {None, one.family}}
    close = get_close_matches(name if meant else plain, known, n=1, cutoff=0.6)
    return known[close[0]] if close else None


def _remedy(nearest: str | None) -> str:
    return f"did you mean {nearest}?" if nearest else "docs/from-gpt2giga.md lists all of them"
