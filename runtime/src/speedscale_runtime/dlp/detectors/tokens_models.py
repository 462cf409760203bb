"""Keys of model and search services, by the prefixes that they document."""

from __future__ import annotations

from .vendor import Token, detector

DETECTORS = (
    detector("anthropic", Token("sk-ant-(?:api|admin|sid|oat|ort)[0-9]{2}-", "url", 40, 200, sample="sk-ant-api03-")),
    detector("openrouter", Token("sk-or-v1-", "hex", 64)),
    detector(
        "openai",
        Token("sk-(?:proj|svcacct|admin|None)-", "url", 20, 300, sample="sk-proj-"),
        Token("sk-", "alnum", 32, 64),
    ),
    detector("huggingface", Token("hf_", "alnum", 30, 40), Token("api_org_", "alpha", 34)),
    detector("groq", Token("gsk_", "alnum", 52)),
    detector("replicate", Token("r8_", "alnum", 37)),
    detector("perplexity", Token("pplx-", "alnum", 40, 64)),
    detector("xai", Token("xai-", "alnum", 70, 90)),
    detector(
        "langchain",
        Token("lsv2_(?:pt|sk)_", "hex", 32, 32, "_[0-9a-f]{10}", sample="lsv2_pt_", sample_tail="_0123456789"),
    ),
    detector("tavily", Token("tvly-", "url", 24, 64)),
    detector("nvidia", Token("nvapi-", "url", 60, 72)),
    detector("pinecone", Token("pcsk_", "url", 60, 90)),
    detector("elevenlabs", Token("sk_", "hex", 48)),
)
