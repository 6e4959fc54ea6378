"""Which keys look as if a secret were under them, and that all else of a session stays."""

from __future__ import annotations

import json
import string

import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

import graphflow_nb as g
from graphflow_nb.model.masks import DEFAULT_MASK, Mask
from graphflow_nb.secret_keys import MASK, secret_kind

_NAMES = """
password passwd pwd passphrase passcode secret token jwt bearer otp api_key access_key private_key
secret_key signing_key encryption_key ssh_key client_secret refresh_token access_token auth_token
authorization auth_header credential credentials cookie ssn social_security_number cvv cvc
card_number credit_card connection_string dsn database_url pin_code db_pass api_keys access_tokens
totp wallet_passphrase bearer_tokens jwt_token root_pass smtp_password
passwords pass_word pass_phrase passphrases private_key_pem tls_key conn_str recovery_codes
seed_phrase security_code jwts
"""
NAMES = _NAMES.split()
BEFORE = ["", "user_", "stripe_", "old_", "x_"]
SECRETS = [f"{before}{name}" for name in NAMES for before in BEFORE]

_INNOCENT = """
author authors authority authored_by authentication_method auth_method auth_type authenticated
tokens token_count tokens_used max_tokens token_limit prompt_tokens completion_tokens total_tokens
tokenizer tokenized token_type token_usage next_page_token page_token continuation_token
cursor_token sync_token stop_token stop_tokens eos_token pad_token mask_token special_tokens
password_reset_at password_policy password_changed_at password_length password_required
has_password_field secretary secretariat secret_santa_list secret_name secrets_manager_region key
keys primary_key foreign_key partition_key sort_key public_key idempotency_key cache_key key_id
keyword keywords keyboard monkey turkey hockey passenger passport passed passing pass_rate
pass_count compass bypass boarding_pass ski_pass passage pin_position pinned pinning spin pins
shipping map_pin cookie_policy cookie_banner_shown cookie_count session_id session user user_id
username user_name name email phone address street city zip country card card_type card_brand
card_holder card_last4 iban bic account account_id account_number_of_items bank customer
customer_id tier amount currency total price quantity status state stage task graph_id
current_task_id status_message context version created_at updated_at messages context_bytes role
content timestamp response request request_id trace_id span_id url base_url callback_url image_url
host port database database_name table schema query filter limit offset order sort credit
credit_limit credit_score creditor accredited debit connection connection_id connections string
strings value values text description title summary notes comment comments reason decision
approved approver reviewer review score confidence model temperature top_p seed embedding
embeddings vector dimension index documents document_id document_type file filename path size
mime_type checksum etag language locale timezone currency_code exchange_rate discount coupon
voucher invoice invoice_number order_number tracking_number reference reference_number policy
policy_number claim claim_number incident date start_date end_date deadline priority severity
authorship authorized_by authorization_status authorization_code auth_provider keystone keynote
keypad passwordless passwordless_login password_strength password_hint secrets_count passes pins
session_key cache_key routing_key user_key customer_key object_key row_key issue_key translation_key
business_key api_key_id access_key_id key_name key_points hotkey turnkey passkey_count pinterest
tokenization_method token_price secret_arn secret_version credential_type credentials_expired
ssn_provided ssn_last4 bearer_type bearing jwt_algorithm otp_sent otp_attempts cvv_result cvc_check
dsn_name verification_code zip_code error_code recovery recovery_plan backup backup_count
security_question security_level seed_url seed_value phrase phrases connected word_count codes
"""
INNOCENT = _INNOCENT.split()


def spellings(key: str) -> list[str]:
    words = key.split("_")
    camel = words[0] + "".join(word.title() for word in words[1:])
    return [key, key.upper(), camel, camel[:1].upper() + camel[1:], key.replace("_", "-")]


def test_two_hundred_secrets_are_known_however_their_keys_are_spelled():
    assert len(set(SECRETS)) >= 200
    tried = [s for key in SECRETS for s in (*spellings(key), f"{key}_2", f"{key}Value")]
    assert [key for key in tried if secret_kind(key) is None] == []
    mixed = ["Password", "apiKey", "API-KEY", "x_Api_Key", "PassWord", "passWord", "ApiKEY"]
    assert [key for key in mixed if secret_kind(key) is None] == []


def test_two_hundred_innocent_keys_are_left_alone():
    assert len(set(INNOCENT)) >= 200
    assert [s for key in INNOCENT for s in spellings(key) if secret_kind(s)] == []


def test_some_kinds_are_secret_by_choice():
    keys = ("iban", "customerIban", "email", "phoneNumber")
    assert [secret_kind(key) for key in keys] == [None] * 4
    assert [secret_kind(key, ("iban",)) for key in keys] == ["iban", "iban", None, None]
    session = g.Session("a", "t", context={"iban": "DE02", "email": "a@b"})
    masked = g.mask_secrets(session, also=("email",))
    assert dict(masked.context) == {"iban": "DE02", "email": MASK}


TEXT = """{"data": {"a": 1.10, "password":"Zq7", "big": 123456789012345678901234567890,
 "login": {"token" : ["Zq7", 7, true, null, ""], "é": "\\u00e9"}, "list": [{"apiKey": {"v":"Zq7"}},
 1e400, {"n": 1}], "token": false, "secret": null, "pin": 1234, "cookie": {}},
 "chat_history":{"messages":[{"role":"User","content":"password Zq7","timestamp":
 "2026-01-01T00:00:00Z"}],"max_messages":1000}, "more": {"auth": "Zq7"}}"""


def test_each_value_under_such_a_key_is_replaced_and_all_else_is_to_the_letter():
    session = g.Session("a", "t").with_context_json(TEXT)
    text = g.mask_secrets(session).context_json()
    text = text if isinstance(text, str) else text.decode()
    assert text.count("Zq7") == 1  # in the chat
    masked, stored = json.loads(text), json.loads(TEXT)
    assert masked["data"]["login"]["token"] == [MASK, MASK, True, None, ""]
    assert masked["data"]["list"][0] == {"apiKey": {"v": MASK}}
    assert (masked["data"]["password"], masked["data"]["pin"]) == (MASK, MASK)
    assert (masked["data"]["token"], masked["data"]["secret"]) == (False, None)
    assert masked["data"]["cookie"] == {}
    assert masked["more"] == {"auth": MASK}
    assert masked["chat_history"] == stored["chat_history"]
    for letters in ("1.10", "123456789012345678901234567890", '"\\u00e9"', "1e400", '{"n": 1}'):
        assert letters in text
    # The session that was given stays as it is.
    assert session.context_json() == TEXT


def test_a_session_without_a_secret_is_the_same():
    session = g.Session("a", "t", context={"a": 1, "tokens": ["the", "cat"]})
    assert g.mask_secrets(session) is session


def test_what_is_no_object_is_an_error():
    with pytest.raises(g.ContextError, match="JSON object"):
        g.mask_secrets(g.Session("a", "t").with_context_json("[]"))


plain = st.text(string.ascii_lowercase, max_size=8)
contexts = st.recursive(
    st.one_of(
        plain,
        st.integers(),
        st.booleans(),
        st.none(),
        st.floats(allow_nan=False, allow_infinity=False),
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "token", "user_password", "n"]), inner)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["x", "secret", "y"]), contexts))
@settings(max_examples=200)
def test_no_text_and_no_number_is_left_under_such_a_key(context):
    masked = g.mask_secrets(g.Session("a", "t", context=context))
    text = masked.context_json()

    def look(value, stored, hidden):
        if isinstance(value, dict):
            assert value.keys() == stored.keys()
            for key in value:
                look(value[key], stored[key], hidden or secret_kind(key) is not None)
        elif isinstance(value, list):
            assert len(value) == len(stored)
            for one, other in zip(value, stored, strict=True):
                look(one, other, hidden)
        elif hidden and not isinstance(stored, bool) and stored not in (None, ""):
            assert value == MASK
        else:
            assert value == stored

    look(json.loads(text)["data"], json.loads(json.dumps(context)), hidden=False)


def test_copies_and_parquet_can_be_without_secrets(tmp_path):
    with g.open("memory:") as wb, g.open("memory:") as other:
        wb.create("a", "t", context={"password": "Zq7", "n": 1})
        assert wb.copy_to(other, redact=g.mask_secrets).copied == 1
        assert dict(other.get("a").context) == {"password": MASK, "n": 1}
        wb.to_parquet(tmp_path / "out", redact=g.mask_secrets)
        files = [*(tmp_path / "out").glob("*.parquet")]
        assert "Zq7" not in repr([pyarrow.parquet.read_table(file).to_pylist() for file in files])
        assert dict(wb.get("a").context)["password"] == "Zq7"


def test_a_text_with_a_secret_has_a_stem_of_its_key():
    for key in (spelling for name in SECRETS for spelling in spellings(name)):
        raw = Raw(json.dumps({"a": {key: "x"}}).encode())
        assert DEFAULT_MASK.hide(raw) is not raw, key
    innocent = Raw(json.dumps([{key: key} for key in INNOCENT]).encode())
    assert DEFAULT_MASK.hide(innocent) is innocent
    for text in ('{"\\u0070assword": "x"}', '{"пароль": "x"}', '{"ｐａｓｓｗｏｒｄ": "x"}'):
        assert "•••" in bytes(DEFAULT_MASK.hide(Raw(text.encode()))).decode()
    chosen = Mask({"Customer-No": True, "iban": True, "cookie": False})
    for text, masked in (('{"customerNo":"x"}', 1), ('{"iban":"x"}', 1), ('{"cookie":"x"}', 0)):
        assert ("•••" in bytes(chosen.hide(Raw(text.encode()))).decode()) == bool(masked)
