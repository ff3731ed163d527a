"""Writes people.csv: a thousand people of the whole world who wait for a parcel. The same file each time.

Three of them can't be told, so that a demonstration has something to show: the capture server of ``pagerd dev``
refuses ``nobody@`` and ``ghost@refused.example.com`` with 550 5.1.1, and one address is none. All others are unique,
at subdomains of example.com, example.org and example.net (RFC 2606): nothing can reach a real person.
"""

# ruff: noqa: E501, RUF001 (a line is a people's names, in its own script)

from __future__ import annotations

import csv
import io
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

FILE = Path(__file__).with_name("people.csv")
HEADER = ("to", "name", "order", "total", "city", "locale")
PEOPLE = 1000
OF_EACH = 25
"""People of each pool: any 6 given and 5 family names make 30 different pairs in a row."""


class Pool(NamedTuple):
    """Names that go together. ``place`` is the label of the mail domain, ``join`` stands between given and family.

    A name in a script other than Latin is written ``native=ascii``. ``family_first`` is how the name is spoken.
    """

    locale: str
    place: str
    cities: str
    given: str
    family: str
    join: str = " "
    family_first: bool = False


# fmt: off
POOLS = (
    Pool("en", "uk", "London|Leeds|Cardiff", "Ada|George|Olivia|Harry|Imogen|Noah", "Byron|Shaw|Okafor|Patel|Fitz-Roy"),
    Pool("en-US", "us", "Washington, D.C.|Austin, TX|Portland, OR", "Grace|Duke|Mary-Jo|Jesse|Ruth|Walt", "Hooper|O'Neil|Yazzie|Washington|Kowalski"),
    Pool("de", "de", "Köln|München|Görlitz", "Jürgen|Käthe|Björn|Annegret|Günther|Zoë", "Müller|Großmann|Schröder|Weiß|Übelacker"),
    Pool("de-AT", "at", "Wien|Graz|St. Pölten", "Franzi|Leopold|Sissi|Wolfgang|Resi|Xaver", "Gruber|Hölzl|Moser|Pichler|Königshofer"),
    Pool("fr", "fr", "Besançon|Orléans|Nîmes", "Zoé|François|Hélène|Benoît|Maëlys|Loïc", "Lefèvre|Garçon|Noël|d'Alembert|Crête"),
    Pool("es", "es", "Cádiz|León|A Coruña", "Íñigo|Begoña|José|Lucía|Ángel|Nuria", "Muñoz|Peña Ibáñez|García|Núñez|Güell"),
    Pool("es-MX", "mx", "Mérida|Querétaro|Ciudad de México", "Xóchitl|Benito|Guadalupe|Raúl|Citlali|Iván", "Hernández|Juárez|Ramírez|Ordóñez|Cuauhtémoc"),
    Pool("pt", "pt", "Évora|Lisboa|Guimarães", "João|Inês|Simão|Conceição|Tomás|Graça", "Magalhães|Gonçalves|Simões|Araújo|Brandão"),
    Pool("pt-BR", "br", "São Paulo|Maceió|Brasília", "Antônio|Iracema|Zélia|Otávio|Luísa|Flávio", "Conceição|Assunção|Guimarães|Sá|Falcão"),
    Pool("it", "it", "Forlì|Cefalù|L'Aquila", "Niccolò|Chiara|Giosuè|Letizia|Mosè|Bice", "D'Angelo|Cantù|Rossi|De Carlo|Dalla Chiesa"),
    Pool("nl", "nl", "'s-Hertogenbosch|Utrecht|Zoetermeer", "Daniëlle|Joost|Anaïs|Thijs|Zoë|Sjoerd", "van 't Hoff|Oltmans|de Groot|IJsbrand|de Wit"),
    Pool("sv", "se", "Malmö|Västerås|Umeå", "Åsa|Göran|Märta|Östen|Linnéa|Håkan", "Ångström|Björklund|Sjöö|Hägg|Öberg"),
    Pool("nb", "no", "Tromsø|Ålesund|Bodø", "Øyvind|Åshild|Bjørn|Sølvi|Håvard|Ragnhild", "Ødegård|Grønn|Bråten|Sæther|Nygård"),
    Pool("da", "dk", "København|Aarhus|Rønne", "Søren|Kirstine|Åge|Bodil|Jørgen|Mette", "Kjær|Brøndsted|Ågesen|Skov|Højgaard"),
    Pool("fi", "fi", "Jyväskylä|Hämeenlinna|Espoo", "Päivi|Yrjö|Eero|Tyyne|Väinö|Aino", "Hämäläinen|Mäkelä|Lönnrot|Yli-Öyry|Sääksjärvi"),
    Pool("is", "is", "Ísafjörður|Húsavík|Reykjavík", "Þórður|Æsa|Guðrún|Björk|Sæmundur|Ásdís", "Blöndal|Briem|Thorlacius|Zoëga|Möller"),
    Pool("pl", "pl", "Łódź|Gdańsk|Świdnica", "Łucja|Wojciech|Żaneta|Stanisław|Małgorzata|Grażyna", "Wójcik|Dąbek|Źrebię|Kołłątaj|Gałązka"),
    Pool("cs", "cz", "Plzeň|České Budějovice|Zlín", "Jiří|Vojtěch|Ondřej|Řehoř|Luboš|Čeněk", "Dvořák|Šťastný|Hašek|Kříž|Žižka"),
    Pool("hu", "hu", "Győr|Székesfehérvár|Szeged", "Ágnes|Győző|Ödön|Zsófia|Jenő|Tünde", "Nagy|Szűcs|Erdős|Kőszegi|Vörösmarty", family_first=True),
    Pool("ro", "ro", "Iași|Brașov|Timișoara", "Ștefan|Măriuca|Ion|Nuța|Răzvan|Ilinca", "Brâncuși|Enescu|Țiriac|Mureșan|Pârvulescu"),
    Pool("tr", "tr", "İstanbul|Şanlıurfa|Çanakkale", "Işıl|Gökçe|Çağla|İbrahim|Şule|Oğuz", "Yıldız|Öztürk|Çelik|Gündoğdu|Şimşek"),
    Pool("vi", "vn", "Đà Nẵng|Huế|Cần Thơ", "Thị Hương|Văn Đức|Ngọc Ánh|Quốc Việt|Thu Thủy|Hữu Phước", "Nguyễn|Trần|Lê|Phạm|Đặng", family_first=True),
    Pool("yo", "ng", "Ìbàdàn|Abẹ́òkúta|Lagos", "Ṣadé|Ọlá|Fẹ́mi|Àdùkẹ́|Táíwò|Kẹ́hìndé", "Adébáyọ̀|Ọláyínká|Ṣóyínká|Akíntọ́lá|Fálànà"),
    Pool("uk", "ua", "Київ|Львів|Чернігів", "Оксана=oksana|Тарас=taras|Соломія=solomiia|Ярослав=yaroslav|Юрій=yurii|Ганна=hanna", "Шевченко=shevchenko|Ковальчук=kovalchuk|Гончар=honchar|Лисенко=lysenko|Мельник=melnyk"),
    Pool("ru", "ru", "Казань|Тверь|Ёлкино", "Фёдор=fyodor|Анна=anna|Лев=lev|Наталья=natalya|Илья=ilya|Софья=sofya", "Черных=chernykh|Живаго=zhivago|Седых=sedykh|Ким=kim|Дурново=durnovo"),
    Pool("bg", "bg", "София|Пловдив|Велико Търново", "Кирил=kiril|Стоян=stoyan|Асен=asen|Методий=metodiy|Любен=lyuben|Христо=hristo", "Петров=petrov|Димитров=dimitrov|Вазов=vazov|Ангелов=angelov|Щерев=shterev"),
    Pool("el", "gr", "Αθήνα|Θεσσαλονίκη|Ηράκλειο", "Ελένη=eleni|Σοφία=sofia|Ιωάννα=ioanna|Αθηνά=athina|Ειρήνη=irini|Ζωή=zoi", "Παπαδοπούλου=papadopoulou|Αγγέλου=angelou|Οικονόμου=ikonomou|Καζαντζή=kazantzi|Βλάχου=vlachou"),
    Pool("hy", "am", "Երևան|Գյումրի|Վանաձոր", "Արամ=aram|Անի=ani|Տիգրան=tigran|Նարե=nare|Հայկ=hayk|Լուսինե=lusine", "Պետրոսյան=petrosyan|Սարգսյան=sargsyan|Հակոբյան=hakobyan|Գրիգորյան=grigoryan|Խաչատրյան=khachatryan"),
    Pool("ka", "ge", "თბილისი|ქუთაისი|ბათუმი", "ნინო=nino|გიორგი=giorgi|თამარ=tamar|ლაშა=lasha|ქეთევან=ketevan|ვახტანგ=vakhtang", "ბერიძე=beridze|კაპანაძე=kapanadze|გელაშვილი=gelashvili|ჩხეიძე=chkheidze|ლომიძე=lomidze"),
    Pool("he", "il", "ירושלים|חיפה|באר שבע", "נועה=noa|דוד=david|שירה=shira|יוסף=yosef|תמר=tamar|איתן=eitan", "כהן=cohen|לוי=levi|מזרחי=mizrahi|פרץ=peretz|ביטון=biton"),
    Pool("ar", "eg", "القاهرة|الإسكندرية|أسوان", "فاطمة=fatima|محمد=mohamed|ليلى=layla|عمر=omar|مريم=maryam|يوسف=youssef", "حسن=hassan|المصري=elmasry|إبراهيم=ibrahim|عبد الله=abdallah|منصور=mansour"),
    Pool("fa", "ir", "تهران|شیراز|اصفهان", "زهرا=zahra|کیان=kian|پروین=parvin|آرش=arash|گلناز=golnaz|سهراب=sohrab", "حسینی=hosseini|رضایی=rezaei|فردوسی=ferdowsi|کریمی=karimi|چنگیزی=changizi"),
    Pool("hi", "in", "दिल्ली|वाराणसी|जयपुर", "प्रिया=priya|अर्जुन=arjun|सीता=sita|कृष्ण=krishna|लक्ष्मी=lakshmi|विक्रम=vikram", "शर्मा=sharma|वर्मा=varma|त्रिपाठी=tripathi|गुप्ता=gupta|मिश्र=mishra"),
    Pool("bn", "bd", "ঢাকা|চট্টগ্রাম|সিলেট", "রবীন্দ্র=rabindra|শর্মিলা=sharmila|আয়েশা=ayesha|তানভীর=tanvir|সুমিত্রা=sumitra|কাজী=kazi", "চৌধুরী=chowdhury|রহমান=rahman|সেন=sen|দাশ=dash|হোসেন=hossain"),
    Pool("ta", "lk", "யாழ்ப்பாணம்|மட்டக்களப்பு|கொழும்பு", "கவிதா=kavitha|முருகன்=murugan|மீனா=meena|செல்வம்=selvam|தமிழ்=thamizh|வள்ளி=valli", "சுப்பிரமணியம்=subramaniam|இராமன்=raman|நடராஜன்=natarajan|பிள்ளை=pillai|குமார்=kumar"),
    Pool("th", "th", "กรุงเทพมหานคร|เชียงใหม่|ขอนแก่น", "สมชาย=somchai|มาลี=malee|ประเสริฐ=prasert|น้ำฝน=namfon|วิชัย=wichai|ดาว=dao", "ใจดี=jaidee|ศรีสุข=srisuk|วงศ์ทอง=wongthong|บุญมี=bunmi|แสงจันทร์=saengchan"),
    Pool("am", "et", "አዲስ አበባ|ጎንደር|ባሕር ዳር", "ሰላም=selam|አበበ=abebe|ትዕግስት=tigist|ዮሐንስ=yohannes|ሀና=hana|ተስፋዬ=tesfaye", "በቀለ=bekele|ገብረ=gebre|ታደሰ=tadesse|ወልዴ=wolde|ኃይሌ=haile"),
    Pool("zh-Hans", "cn", "北京|广州|成都", "小明=xiaoming|丽华=lihua|伟=wei|秀英=xiuying|国强=guoqiang|芳=fang", "王=wang|李=li|欧阳=ouyang|陈=chen|赵=zhao", join="", family_first=True),
    Pool("ja", "jp", "東京|札幌|那覇", "花子=hanako|太郎=taro|さくら=sakura|健一=kenichi|葵=aoi|ヒカル=hikaru", "佐藤=sato|髙橋=takahashi|渡邊=watanabe|小川=ogawa|鈴木=suzuki", family_first=True),
    Pool("ko", "kr", "서울|부산|제주", "민준=minjun|서연=seoyeon|지훈=jihun|하늘=haneul|영희=yeonghui|철수=cheolsu", "김=kim|이=lee|박=park|최=choi|남궁=namgung", join="", family_first=True),
)
# fmt: on

OUT_OF_THE_ORDINARY = {
    82: {"to": "bjorn.schroder@bücher.example.com"},
    121: {"name": 'Jesse "Wash" Washington'},
    165: {"name": "Güell, Ángel"},
    208: {"to": "flávio.conceição@example.org"},
    250: {"to": "nobody@refused.example.com"},
    331: {"name": 'Märta "Tant Grön" Hägg', "city": "Malmö, Skåne"},
    496: {"to": "lucja.zrebie.pl.example.com"},
    543: {"to": "taras.lysenko@пошта.example.com"},
    626: {"to": "athina.papadopoulou+orders@gr.example.org"},
    750: {"to": "ghost@refused.example.com"},
    917: {"to": "欧阳国强@例子.example.com"},
    958: {"to": "hikaru.ogawa@配送.example.org"},
}
"""What makes single people strange, by their number: quotes, commas, IDNA, SMTPUTF8, and the three who can't be told."""

_WITHOUT_DECOMPOSITION = str.maketrans(
    {"ß": "ss", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "æ": "ae", "Æ": "Ae", "ð": "d", "þ": "th",
     "Þ": "Th", "ı": "i", "'": "", " ": ""}
)  # fmt: skip


def people() -> Iterator[dict[str, str]]:
    """Yield the thousand, mixed: one of each pool in turn."""
    for number in range(PEOPLE):
        pool = POOLS[number % len(POOLS)]
        yield person(pool, number, number // len(POOLS)) | OUT_OF_THE_ORDINARY.get(number, {})


def person(pool: Pool, number: int, turn: int) -> dict[str, str]:
    """Return the cells of a pool's person."""
    given, given_ascii = spelled(pool.given.split("|")[turn % 6])
    family, family_ascii = spelled(pool.family.split("|")[turn % 5])
    names = (family, given) if pool.family_first else (given, family)
    cities = pool.cities.split("|")
    cents = 499 + number * 7919 % 24_500
    return {
        "to": f"{given_ascii}.{family_ascii}@{pool.place}.example.{('com', 'org', 'net')[turn % 3]}",
        "name": pool.join.join(names),
        "order": f"A-{100_000 + number * 37}",
        "total": f"{cents // 100}.{cents % 100:02}",
        "city": "" if number % 11 == 10 else cities[turn % len(cities)],
        "locale": pool.locale,
    }


def spelled(name: str) -> tuple[str, str]:
    """Return a name as people write it, and as it stands in an old-fashioned address."""
    native, _, given_ascii = name.partition("=")
    plain = unicodedata.normalize("NFKD", native.translate(_WITHOUT_DECOMPOSITION))
    return native, given_ascii or "".join(c for c in plain if not unicodedata.combining(c)).lower()


def as_csv() -> str:
    """Return the whole file."""
    text = io.StringIO()
    writer = csv.DictWriter(text, HEADER, lineterminator="\n")
    writer.writeheader()
    writer.writerows(people())
    return text.getvalue()


if __name__ == "__main__":
    FILE.write_text(as_csv(), encoding="utf-8", newline="")
    sys.stdout.write(f"{FILE}: {PEOPLE} people\n")
