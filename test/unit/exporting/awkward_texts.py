"""Texts that tokenizers get wrong: accents, scripts without spaces, controls, emoji."""

from __future__ import annotations

from hypothesis import strategies as st

AWKWARD = (
    "a b  \t\r\n\0\x01\x7f\x85\xa0\xad[]#'\"-_.,~$+<=>^`|\ufffd\ufeff\u200b\u200c\u200d\u2028\u2060"
    "éÉüßſİıΣςϊΐΐǅǆﬁ\u0300\u0301\u0334\u0345\u0307\u0315\u031b\u0327\u05b0\u05bc\u0f71\u0f72\u0f73"
    "\u302e\u302f\U00016ff0\U0001d15e\U0001d165\U0001d16d한글가각각漢字𠀀﨎豈ヴか\u3099ｶﾞ"
    "שָׁלוֹםمرحبا\u064b\u0651नमस्ते\u094d\u200dक्षไทย\u0e33\u0e38👩‍👧👍🏽🇩🇪🇫❤\ufe0f\U000e0067\u0600\u0d4e"
    "٣½²①Ⅷ\u1e9e\ua7ae\u10a0\u13a0\uab70\U0001e921\U0010ffff\ue000\u0378"
)
LETTERS = st.one_of(
    st.sampled_from(AWKWARD),
    st.characters(exclude_categories=["Cs"]),
    st.characters(categories=["Mn", "Mc", "Me"]),
    st.sampled_from(["the", "quick", "brown", "fox", "12", ""]),
)
AWKWARD_TEXTS = st.lists(LETTERS, max_size=40).map("".join)
