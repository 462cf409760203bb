"""Tokens of code hosts, package registries and build services, by the prefixes that they document."""

from __future__ import annotations

from .vendor import Token, detector

DETECTORS = (
    detector(
        "gitlab",
        Token(
            "gl(?:pat|dt|rt|ptt|soat|cbt|ft|imt|agent|oas|ffct|rtr)-",
            "url",
            20,
            300,
            r"(?:\.[0-9a-z.]{2,30})?",
            sample="glpat-",
        ),
        Token("GR1348941", "url", 20),
    ),
    detector("npm", Token("npm_", "alnum", 36)),
    detector(
        "pypi", Token("pypi-Ag(?:EIcHlwaS5vcmc|ENdGVzdC5weXBpLm9yZw)", "url", 50, 1000, sample="pypi-AgEIcHlwaS5vcmc")
    ),
    detector("rubygems", Token("rubygems_", "hex", 48)),
    detector("crates", Token("cio", "alnum", 32)),
    detector("clojars", Token("CLOJARS_", "lower", 60)),
    detector("nuget", Token("oy2", "lower", 43)),
    detector("docker_hub", Token("dckr_[po]at_", "url", 24, 40, sample="dckr_pat_")),
    detector(
        "atlassian",
        Token("AT[AC]TT3xFfG", "url", 150, 300, "={0,1}[0-9A-F]{0,8}", sample="ATATT3xFfG"),
        Token("ATBB", "alnum", 28, 40),
    ),
    detector("artifactory", Token("AKCp", "alnum", 69), Token("cmVmdGtu", "alnum", 56)),
    detector("postman", Token("PMAK-", "hex", 24, 24, "-[0-9a-f]{34}", sample_tail="-" + "0123456789abcdef0" * 2)),
    detector("sourcegraph", Token("sgp_(?:[0-9a-f]{16}_|local_)?", "hex", 40, sample="sgp_")),
    detector("linear", Token("lin_(?:api|oauth)_", "alnum", 40, 64, sample="lin_api_")),
    detector("buildkite", Token("bk(?:ua|aj|pi)_", "hex", 40, sample="bkua_")),
    detector(
        "circleci", Token("CCIPAT_[0-9A-Za-z]{22}_", "hex", 40, sample="CCIPAT_" + "aB3dE5fG7hJ9kL1mN2pQ4r" + "_")
    ),
    detector("terraform", Token(r"[0-9A-Za-z]{14}\.atlasv1\.", "url", 60, 70, sample="aB3dE5fG7hJ9kL.atlasv1.")),
    detector("pulumi", Token("pul-", "hex", 40)),
    detector("prefect", Token("pn[ub]_", "lower", 36, sample="pnu_")),
    detector("infracost", Token("ico-", "alnum", 32)),
    detector("readme", Token("rdme_", "lower", 70)),
    detector("scalingo", Token("tk-us-", "url", 48)),
)
