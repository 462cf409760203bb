"""The table of transforms: names and aliases (any letter case) → factory. One module each."""

from __future__ import annotations

from collections.abc import Callable

from speedscale_runtime.transforms.config import Config
from speedscale_runtime.transforms.model import Step

from . import (
    base64,
    constant,
    csv,
    csv_iter,
    dataframe_lookup,
    date,
    dlp_field,
    gzip,
    http_auth,
    json_delete,
    json_path,
    json_selector,
    jwt_resign,
    one_of,
    rand_string,
    regex,
    replace,
    scrub,
    scrub_date,
    signature,
    sleep,
    smart_replace,
    smart_replace_csv,
    smart_replace_recorded,
    split,
    tag_session,
    trim,
    url,
    variables,
    xml_path,
)

TABLE: dict[str, Callable[[Config], Step]] = {
    "base64": base64.Base64,
    "constant": constant.Constant,
    "csv": csv.Csv,
    "csv_iter": csv_iter.CsvIter,
    "dataframe_lookup": dataframe_lookup.DataframeLookup,
    "date": date.Date,
    "delete_sig": signature.DeleteSig,
    "dlp_field": dlp_field.DlpField,
    "gzip": gzip.Gzip,
    "http_auth": http_auth.HttpAuth,
    "json_delete": json_delete.JsonDelete,
    "json_path": json_path.JsonPath,
    "json_selector": json_selector.JsonSelector,
    "jwt_resign": jwt_resign.JwtResign,
    "one_of": one_of.OneOf,
    "rand_string": rand_string.RandString,
    "regex": regex.Regex,
    "replace": replace.Replace,
    "scrub": scrub.Scrub,
    "scrub_date": scrub_date.ScrubDate,
    "sleep": sleep.Sleep,
    "smart_replace": smart_replace.SmartReplace,
    "smart_replace_csv": smart_replace_csv.SmartReplaceCsv,
    "smart_replace_recorded": smart_replace_recorded.SmartReplaceRecorded,
    "split": split.Split,
    "store_sig": signature.StoreSig,
    "tag_session": tag_session.TagSession,
    "trim": trim.Trim,
    "url_decode": url.UrlDecode,
    "url_encode": url.UrlEncode,
    "var_load": variables.VarLoad,
    "var_store": variables.VarStore,
    "xml_path": xml_path.XmlPath,
}

ALIASES = {
    "column": "csv",
    "date_shift": "date",
    "train": "smart_replace",
    "train_csv": "smart_replace_csv",
    "train_actual": "smart_replace_recorded",
    "variable_load": "var_load",
    "variable_store": "var_store",
}

NOT_YET = ("aws_auth", "csv_dataframe", "db_add_row", "dlp_json", "sasl_auth")
