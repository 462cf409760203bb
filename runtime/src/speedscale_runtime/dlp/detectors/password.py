"""Passwords, passphrases, PINs and card security codes by the name they stand under."""

from __future__ import annotations

from .base import KeyRule

_NOT_A_VALUE = frozenset(
    (
        "policy",
        "strength",
        "required",
        "length",
        "expired",
        "expires",
        "expiry",
        "reset",
        "changed",
        "field",
        "hint",
        "attempts",
        "enabled",
        "url",
        "uri",
        "link",
        "at",
        "date",
        "type",
        "min",
        "max",
        "rules",
        "age",
        "pattern",
        "regex",
        "label",
        "placeholder",
        "history",
        "manager",
        "error",
        "message",
        "status",
        "valid",
        "count",
        "format",
        "description",
        "change",
        "question",
    )
)


_ELSEWHERE = (
    "passwort", "kennwort", "mot de passe", "motdepasse", "mdp", "contraseña", "contrasenya", "senha", "wachtwoord",
    "hasło", "heslo", "lösenord", "adgangskode", "passord", "salasana", "jelszó", "parola", "şifre", "lozinka",
    "κωδικός πρόσβασης", "пароль", "парола", "パスワード", "暗証番号", "密码", "密碼", "비밀번호", "كلمة المرور",
    "סיסמה",
    "palavra passe", "código acceso", "पासवर्ड", "รหัสผ่าน", "mật khẩu", "kata sandi",
)  # fmt: skip


_NO_WORDS = (b"true", b"false", b"null", b"none", b"undefined")


def _accept(value: bytes) -> str:
    text = value.strip()
    return "stands under a key for a password" if text and text.lower() not in _NO_WORDS else ""


def _accept_code(value: bytes) -> str:
    return "a short code under a key for it" if value.isdigit() and 3 <= len(value) <= 12 else ""


KEY_RULES = (
    KeyRule(
        name="password",
        kind="PASSWORD",
        names=(
            "password",
            "passwd",
            "passphrase",
            "passcode",
            "pwd",
            "userpassword",
            "passwordhash",
            "passwords",
            "security answer",
            "secret answer",
            "recovery answer",
            "recovery question answer",
            "security question answer",
            *_ELSEWHERE,
        ),
        exact=("pass", "psw", "pw", "clave"),
        excluded=_NOT_A_VALUE,
        accept=_accept,
        numbers=True,
        nested=True,
        examples=(
            ("password", "hunter2"),
            ("userPassword", "x"),
            ("DB_PASSWORD", "s3"),
            ("new-password", "a b"),
            ("Contraseña", "x"),
            ("пароль", "x"),
        ),
        counter_examples=(
            ("password_policy", "strict"),
            ("passwordless", "yes"),
            ("compass", "north"),
            ("password", ""),
            ("forceChangePasswordNextSignIn", "x"),
            ("password", "true"),
        ),
    ),
    KeyRule(
        name="security_code",
        kind="SECURITY_CODE",
        names=(
            "cvv",
            "cvc",
            "cvv2",
            "cvc2",
            "security code",
            "securitycode",
            "card code",
            "card verification code",
            "card verification value",
            "prüfziffer",
            "kartenprüfnummer",
            "cryptogramme",
            "código seguridad",
            "código de seguridad",
            "código segurança",
            "código de segurança",
            "codice sicurezza",
            "セキュリティコード",
            "pin code",
            "one time password",
            "verification code",
            "mfa code",
            "sms code",
            "auth code",
            "otp code",
            "totp",
            "recovery code",
            "backup code",
            "transaction pin",
            "验证码",
            "인증번호",
            "認証コード",
        ),
        exact=("pin", "cid", "card pin", "otp"),
        excluded=_NOT_A_VALUE,
        accept=_accept_code,
        numbers=True,
        examples=(("cvv", "123"), ("pin", "0420"), ("securityCode", "9876")),
        counter_examples=(("cvv", "matched"), ("spin", "123"), ("pinned", "1234")),
        group="password",
    ),
)
