"""The small words of languages written in Latin letters, by which their texts can be told."""

from __future__ import annotations

LANGUAGES = {
    "en": "English",
    "de": "German",
    "fr": "French",
    "es": "Spanish",
    "it": "Italian",
    "pt": "Portuguese",
    "nl": "Dutch",
    "sv": "Swedish",
    "pl": "Polish",
    "tr": "Turkish",
    "id": "Indonesian",
    "ar": "Arabic",
    "el": "Greek",
    "he": "Hebrew",
    "hi": "Hindi",
    "ja": "Japanese",
    "ko": "Korean",
    "ru": "Russian",
    "th": "Thai",
    "uk": "Ukrainian",
    "zh": "Chinese",
}
"""Codes to names."""

_WORDS = {
    "en": """
    a about all am an and are as at be because been but by can come could did do does don't for from get go going
    good had has have he her here him his how i i'm if in is it it's just know like me my no not now of oh on one or
    our out really right said say see she so some that that's the their them then there they think this time to too
    up us very want was we well were what what's when where which who why will with would yeah yes you you're your
    """,
    "chat": """
    u ur r im dont cant thats its ok okay hey hi hello lol lmao omg gonna wanna gotta kinda ya yep nope pls please
    thx thanks sorry idk btw brb bc cuz cause tho tbh imo got let lets need make sure more than into back over down
    off been much many should only even any other these those has were doing thing something nothing man guys guy
    """,
    "de": """
    ich du er sie es wir ihr mich dich sich mir dir uns ihm ihn der die das den dem des ein eine einen einem einer
    nicht kein keine und oder aber auch ist bin bist sind war warst hat habe hast haben hatte wird werde wirst würde
    kann kannst muss will was wer wie wo warum wenn weil dass doch nur noch schon mal jetzt hier da so ja nein mein
    meine meinen meinem meiner dein deine deinem mit von zu zum zur auf aus bei für an im in nach über vor sehr
    immer nie etwas nichts alles
    """,
    "fr": """
    je tu il elle nous vous ils elles on me te se moi toi lui le la les un une des du de d'un d'une à au aux et ou
    mais ne pas plus jamais rien est suis es sont était c'est j'ai ai as a avez ont fait être avoir que qui quoi
    qu'est-ce qu'il ce cette ces ça cela mon ma mes ton ta tes son sa ses notre votre dans sur pour par avec sans
    chez où quand comment pourquoi parce si oui non bien très trop tout tous aussi j'en m'a t'es d'accord n'est l'ai
    là ici
    """,
    "es": """
    yo tú él ella nosotros ellos me te se lo la los las le les un una unos unas el de del al y o pero no sí que qué
    quién cómo cuándo dónde por porque para con sin en es soy eres son está estoy estás están era fue ha he has han
    hay tengo tienes tiene mi mis tu tus su sus este esta esto eso ese esa muy más ya también todo todos nada nunca
    siempre bien aquí ahora si cuando como vamos puedo quiero
    """,
    "it": """
    io tu lui lei noi voi loro mi ti si ci vi lo la li le gli un una uno il i di del della dei a al alla da dal in
    nel nella con su per tra e o ma non no sì che chi cosa come quando dove perché è sono sei siamo era ho hai ha
    abbiamo hanno c'è mio mia tuo tua suo sua questo questa quello quella molto più già anche tutto tutti niente mai
    sempre bene qui ora se poi allora
    """,
    "pt": """
    eu tu você ele ela nós eles elas me te se o a os as um uma uns umas de do da dos das em no na nos nas por pelo
    pela para com sem e ou mas não sim que quem como quando onde porque é sou são está estou estão era foi tem tenho
    têm há meu minha seu sua teu tua este esta isto isso esse essa muito mais já também tudo nada nunca sempre bem
    aqui agora então vai vou
    """,
    "nl": """
    ik jij je hij zij ze wij we jullie mij me jou hem haar ons hun de het een en of maar niet geen is ben bent zijn
    was waren heb hebt heeft had wordt word zal kan kunt moet wil wat wie hoe waar waarom als omdat dat dit die deze
    er hier daar nu nog al ook wel toch dan met van voor op uit bij naar aan in over zo ja nee mijn jouw heel erg
    altijd nooit niets alles iets
    """,
    "sv": """
    jag du han hon vi ni de mig dig sig honom henne oss er dem det den en ett och eller men inte ingen är var har
    hade ska kan kunde måste vill blir vad vem hur när varför om att som där här nu också bara så ja nej min mitt
    mina din ditt dina med av på i till från för ut efter mycket alltid aldrig något allt inget väl
    """,
    "pl": """
    ja ty on ona my wy oni mnie mi ciebie cię ci go jej jemu nam nas was im się to ten ta te tego tej jest jestem
    jesteś są był była było nie tak i a ale lub albo czy co kto jak kiedy gdzie dlaczego bo że żeby w we z ze na do
    od po za dla przez o u mój moja moje twój twoja już jeszcze tylko też bardzo zawsze nigdy nic wszystko tu tam
    teraz mam masz ma może
    """,
    "tr": """
    ben sen o biz siz onlar bana sana ona bize beni seni onu bir bu şu ve veya ama fakat de da mi mı mu mü ne kim
    nasıl nerede neden niçin çünkü için ile gibi kadar daha çok en var yok değil evet hayır şimdi burada orada her
    hiç hep bile ki ise benim senin onun bizim şey iyi sonra önce
    """,
    "id": """
    saya aku kamu dia kami kita mereka ini itu yang dan atau tapi tetapi tidak bukan ada adalah di ke dari untuk
    dengan pada apa siapa bagaimana kapan mana kenapa mengapa karena kalau jika sudah belum akan bisa harus mau juga
    lagi saja hanya sangat sekali ya nggak gak aja banget nya anda semua
    """,
}
ENGLISH = frozenset(_WORDS["en"].split())
"""Those by which recognized words are judged, see docs/listening.md."""

SMALL = {code: frozenset(words.split()) for code, words in _WORDS.items() if code != "chat"}
SMALL["en"] |= frozenset(_WORDS["chat"].split())
"""Code to words; of English also those that people write in chats."""
