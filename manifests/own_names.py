"""What languages' speakers call them, for titles of tracks.

From Unicode CLDR, as langcodes has it: its tables take 280 MB of memory when they are read from source, and a lesson
wants one name. Whatever is not here is looked up there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_NAMES: Final = """
af Afrikaans; am አማርኛ; an Aragonés; ar العربية; arn Mapudungun; as অসমীয়া; ast Asturianu; az Azərbaycan;
ba Башҡорт теле; be Беларуская; bg Български; bn বাংলা; bpy Bishnupriya; bs Bosanski; ca Català; chr ᏣᎳᎩ;
cmn 中文; cs Čeština; cv Чӑваш; cy Cymraeg; da Dansk; de Deutsch; el Ελληνικά; en English; eo Esperanto;
es Español; et Eesti; eu Euskara; fa فارسی; fi Suomi; fil Filipino; fr Français; ga Gaeilge; gd Gàidhlig;
gl Galego; gn Avañe’ẽ; grc Ancient Greek; gu ગુજરાતી; ha Hausa; hak Hakka Chinese; haw ʻŌlelo Hawaiʻi; he עברית;
hi हिन्दी; hr Hrvatski; ht Kreyòl Ayisyen; hu Magyar; hy Հայերեն; hyw Western Armenian; ia Interlingua;
id Bahasa Indonesia; ig Igbo; io Ido; is Íslenska; it Italiano; ja 日本語; jbo La .lojban.; jv Jawa; ka ქართული;
kk Қазақ тілі; kl Kalaallisut; km ខ្មែរ; kn ಕನ್ನಡ; ko 한국어; kok कोंकणी; ku Kurdî (kurmancî); ky Кыргызча;
la Lingua latina; lb Lëtzebuergesch; lfn Lingua Franca Nova; lo ລາວ; lt Lietuvių; ltg Latgalian; lv Latviešu;
mi Māori; mk Македонски; ml മലയാളം; mn Монгол; mr मराठी; ms Bahasa Malaysia; mt Malti; my မြန်မာ;
nb Norsk bokmål; nci Classical Nahuatl; ne नेपाली; nl Nederlands; no Norsk; nog Nogai; oc Occitan; om Oromoo;
or ଓଡ଼ିଆ; pa ਪੰਜਾਬੀ; pap Papiamentu; pl Polski; ps پښتو; pt Português; qu Runasimi; quc Kʼicheʼ; qya Quenya;
rn Ikirundi; ro Română; ru Русский; rw Ikinyarwanda; sc Sardu; sd سنڌي; se Davvisámegiella; shn တႆး; si සිංහල;
sjn Sindarin; sk Slovenčina; sl Slovenščina; smj Julevsámegiella; sn ChiShona; so Soomaali; sq Shqip; sr Српски;
su Basa Sunda; sv Svenska; sw Kiswahili; ta தமிழ்; te తెలుగు; th ไทย; tk Türkmen dili; tn Setswana; tr Türkçe;
tt Татар; ug ئۇيغۇرچە; uk Українська; ur اردو; uz O‘zbek; vi Tiếng Việt; wo Wolof; xh IsiXhosa; yi ייִדיש;
yo Èdè Yorùbá; yue 粵語; zh 中文; zu IsiZulu
"""

OWN_NAMES: Final[Mapping[str, str]] = {
    tag: name for tag, _, name in (entry.strip().partition(" ") for entry in _NAMES.split(";"))
}
"""Tags without region or script to names as titles."""
