//! Every language is kept.

use std::collections::HashMap;

use unicode_normalization::UnicodeNormalization;

use super::*;

const SENTENCES: [(&str, &str); 14] = [
    ("Chinese", "语言模型把文字变成向量，然后在数据库里寻找最相近的段落。检索结果会按相关性排序！"),
    (
        "Japanese",
        "言語モデルは文章をベクトルに変換し、データベースから近い段落を探します。カタカナとひらがなも残ります。",
    ),
    (
        "Korean",
        "언어 모델은 문장을 벡터로 바꾸고 데이터베이스에서 가장 가까운 문단을 찾습니다. 한글은 그대로 남아야 합니다.",
    ),
    ("Arabic", "يحوّل النموذج اللغوي النصوص إلى متجهات ثم يبحث عن أقرب الفقرات في قاعدة البيانات."),
    ("Hebrew", "מודל השפה הופך טקסט לווקטורים ומחפש את הפסקאות הקרובות ביותר. גם ניקוד נשמר: שָׁלוֹם."),
    ("Hindi", "भाषा मॉडल पाठ को सदिशों में बदलता है और डेटाबेस में सबसे निकट अनुच्छेद खोजता है। क्षेत्र, ज्ञान, श्रम।"),
    ("Thai", "แบบจำลองภาษาจะแปลงข้อความเป็นเวกเตอร์ แล้วค้นหาย่อหน้าที่ใกล้ที่สุดในฐานข้อมูล น้ำ ทำ คำ"),
    ("Russian", "Языковая модель превращает текст в векторы и ищет ближайшие абзацы в базе данных. Ёлка и йод."),
    ("Greek", "Το γλωσσικό μοντέλο μετατρέπει το κείμενο σε διανύσματα και βρίσκει τις πλησιέστερες παραγράφους."),
    ("Persian", "مدل زبانی متن را به بردار تبدیل می\u{200c}کند و نزدیک\u{200c}ترین بندها را می\u{200c}یابد."),
    ("Tamil", "மொழி மாதிரி உரையை திசையன்களாக மாற்றி அருகிலுள்ள பத்திகளைத் தேடுகிறது."),
    ("Amharic", "የቋንቋ ሞዴሉ ጽሑፍን ወደ ቬክተሮች ይቀይራል።"),
    ("Khmer", "គំរូភាសា\u{200b}បម្លែង\u{200b}អត្ថបទ\u{200b}ទៅជា\u{200b}វ៉ិចទ័រ"),
    ("Vietnamese", "Mô hình ngôn ngữ biến văn bản thành véctơ và tìm các đoạn gần nhất trong cơ sở dữ liệu."),
];

fn letters(text: &str) -> HashMap<char, usize> {
    let mut counts = HashMap::new();
    text.nfkc().filter(|c| c.is_alphanumeric()).for_each(|c| *counts.entry(c).or_default() += 1);
    counts
}

#[test]
fn all_letters_survive_as_markdown_as_html_and_as_a_post() {
    for (language, sentence) in SENTENCES {
        let raw = format!("# {sentence}\n\n* {sentence}\n\n{}", format!("{sentence} ").repeat(20));
        assert_eq!(letters(&text_of(&raw)), letters(&raw), "{language}");
        let post = cleaned(DocumentType::Posts, json!({"content": {"text": raw}})).unwrap();
        assert_eq!(letters(&post.text()), letters(&raw), "{language}");
        let html = format!("<html><body><h1>{sentence}</h1><p>{sentence}</p></body></html>");
        assert_eq!(letters(&text_of(&html)), letters(&format!("{sentence}{sentence}")), "{language}");
    }
}

#[test]
fn a_sentence_in_composed_form_comes_out_as_it_went_in() {
    for (language, sentence) in SENTENCES {
        let composed: String = sentence.nfc().collect();
        // Full-width punctuation is the one thing that changes.
        let expected = composed.replace('，', ",").replace('！', "!");
        assert_eq!(text_of(&composed), expected, "{language}");
    }
}
