//! Forms of credentials, as their issuers publish them.

use super::could_be_secret;
use super::pairs::Pairs;

/// The kind of credential that a text has the form of, or holds.
pub fn credential(text: &str) -> Option<&'static str> {
    if text.len() < 12 {
        return None;
    }
    // Every string of every object is looked at here: nothing is searched for whose letters are not in the text.
    let letters = Letters::of(text);
    if letters.have(b"PRIVATEKY-") && text.contains("PRIVATE KEY") && text.contains("-BEGIN ") {
        return Some("a private key");
    }
    marked(text)
        .or_else(|| letters.have(b"J").then(|| marked_inside(text, &INSIDE[..2]))?)
        .or_else(|| letters.have(b"Q~").then(|| marked_inside(text, &INSIDE[2..]))?)
        .or_else(|| (letters.have(b".ey") && is_jwt(text)).then_some("a JSON Web Token"))
        .or_else(|| (letters.have(b".atlsv1") && is_terraform(text)).then_some("a Terraform token"))
        .or_else(|| {
            (letters.have(b"sv=20ig") && is_azure_signature(text)).then_some("an Azure shared access signature")
        })
        .or_else(|| (letters.have(b":/@") && has_login(text)).then_some("an address with a password"))
        .or_else(|| letters.have_any(b"=>:").then(|| named_key(text))?)
}

/// Which bytes a text has: a bit for each.
#[derive(Clone, Copy)]
struct Letters([u64; 4]);

impl Letters {
    fn of(text: &str) -> Self {
        let mut letters = [0; 4];
        for byte in text.bytes() {
            letters[usize::from(byte / 64)] |= 1 << (byte % 64);
        }
        Self(letters)
    }

    const fn has(self, byte: u8) -> bool {
        self.0[(byte / 64) as usize] >> (byte % 64) & 1 == 1
    }

    fn have(self, all: &[u8]) -> bool {
        all.iter().all(|byte| self.has(*byte))
    }

    fn have_any(self, some: &[u8]) -> bool {
        some.iter().any(|byte| self.has(*byte))
    }
}

/// What the marks of [`FORMATS`] begin with.
static BEGINNINGS: Pairs = {
    let mut pairs = Pairs::none();
    let mut at = 0;
    while at < FORMATS.len() {
        let marks = FORMATS[at].begins;
        let mut mark = 0;
        while mark < marks.len() {
            let bytes = marks[mark].as_bytes();
            pairs = pairs.with(bytes[0], bytes[1]);
            mark += 1;
        }
        at += 1;
    }
    pairs
};

/// The first of the formats that stands somewhere in the text, where a word begins.
fn marked(text: &str) -> Option<&'static str> {
    let bytes = text.as_bytes();
    let mut first: Option<usize> = None;
    for at in BEGINNINGS.places(text) {
        if at > 0 && bytes[at - 1].is_ascii_alphanumeric() {
            continue;
        }
        let known = first.unwrap_or(FORMATS.len());
        let here = FORMATS[..known].iter().position(|format| format.begins_at(text, at));
        first = here.or(first);
    }
    first.map(|first| FORMATS[first].what)
}

/// Tokens that begin with a mark of their issuer.
struct Format {
    what: &'static str,
    begins: &'static [&'static str],
    /// Fewest and most characters behind the beginning.
    length: (usize, usize),
    of: fn(char) -> bool,
}

impl Format {
    /// Whether a token of this format begins at a byte, which is the first of a character.
    fn begins_at(&self, text: &str, at: usize) -> bool {
        let rest = &text[at..];
        let (least, most) = self.length;
        self.begins.iter().any(|mark| {
            rest.strip_prefix(mark).is_some_and(|token| {
                let length = token.chars().take_while(|c| (self.of)(*c)).count();
                (least..=most).contains(&length)
            })
        })
    }
}

pub(super) const fn word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

const fn upper(c: char) -> bool {
    c.is_ascii_uppercase() || c.is_ascii_digit()
}

const fn hex(c: char) -> bool {
    c.is_ascii_hexdigit()
}

const fn plain(c: char) -> bool {
    c.is_ascii_alphanumeric()
}

const fn dotted(c: char) -> bool {
    word(c) || c == '.'
}

const fn format(what: &'static str, begins: &'static [&'static str], least: usize, of: fn(char) -> bool) -> Format {
    Format {
        what,
        begins,
        length: (least, usize::MAX),
        of,
    }
}

/// A format all of whose tokens are equally long: a longer run of such characters is something else.
const fn exact(what: &'static str, begins: &'static [&'static str], length: usize, of: fn(char) -> bool) -> Format {
    Format {
        what,
        begins,
        length: (length, length),
        of,
    }
}

const FORMATS: &[Format] = &[
    exact(
        "an AWS access key",
        &["AKIA", "AGPA", "AIDA", "AROA", "AIPA", "ANPA", "ANVA", "ASIA"],
        16,
        upper,
    ),
    format("an Alibaba access key", &["LTAI"], 16, plain),
    format("a GitHub token", &["ghp_", "gho_", "ghu_", "ghs_", "ghr_"], 36, plain),
    format("a GitHub token", &["github_pat_"], 40, word),
    format(
        "a GitLab token",
        &["glpat-", "glptt-", "gldt-", "glrt-", "glcbt-", "glagent-", "GR1348941"],
        20,
        word,
    ),
    exact("a Google API key", &["AIza"], 35, word),
    format(
        "a Slack token",
        &["xoxb-", "xoxa-", "xoxp-", "xoxr-", "xoxs-", "xapp-"],
        10,
        word,
    ),
    format("a Slack address", &["hooks.slack.com/services/"], 20, |c| {
        word(c) || c == '/'
    }),
    format(
        "a Discord address",
        &["discord.com/api/webhooks/", "discordapp.com/api/webhooks/"],
        60,
        |c| word(c) || c == '/',
    ),
    format(
        "a Stripe key",
        &["sk_live_", "sk_test_", "rk_live_", "rk_test_", "pk_live_", "pk_test_"],
        10,
        plain,
    ),
    format("an npm token", &["npm_"], 36, plain),
    format("a PyPI token", &["pypi-AgEIcHlwaS5vcmc"], 50, word),
    format("a RubyGems key", &["rubygems_"], 48, hex),
    exact("a Twilio key", &["SK"], 32, hex),
    format("a Vault token", &["hvs.", "hvb.", "hvr."], 24, word),
    format("a New Relic key", &["NRAK-", "NRJS-", "NRII-"], 19, word),
    format("a SendGrid key", &["SG."], 60, dotted),
    exact("a DigitalOcean token", &["dop_v1_", "doo_v1_", "dor_v1_"], 64, hex),
    exact("a Databricks token", &["dapi"], 32, hex),
    format("a Doppler token", &["dp.pt.", "dp.st.", "dp.ct."], 40, dotted),
    format("a Dynatrace token", &["dt0c01.", "dt0s01."], 80, dotted),
    format("a Grafana token", &["glsa_", "glc_"], 32, |c| word(c) || c == '='),
    format("a Heroku key", &["HRKU-"], 36, word),
    format("a Linear key", &["lin_api_"], 40, plain),
    format("a Postman key", &["PMAK-"], 59, word),
    exact("a Pulumi token", &["pul-"], 40, hex),
    format(
        "a PlanetScale token",
        &["pscale_tkn_", "pscale_pw_", "pscale_oauth_"],
        32,
        dotted,
    ),
    format("a Sentry token", &["sntrys_", "sntryu_"], 64, |c| word(c) || c == '='),
    exact("a SonarQube token", &["sqp_", "squ_", "sqa_"], 40, hex),
    exact("a Shopify token", &["shpat_", "shpca_", "shppa_", "shpss_"], 32, hex),
    format("a Square token", &["sq0atp-", "sq0csp-"], 22, word),
    format("an Atlassian token", &["ATATT3xFfGF0"], 60, |c| word(c) || c == '='),
    format("an Anthropic key", &["sk-ant-"], 40, word),
    exact("an OpenAI secret", &["ek_"], 32, hex),
    format("an age key", &["AGE-SECRET-KEY-1"], 58, plain),
    format("a Docker Hub token", &["dckr_pat_"], 27, word),
    format("a Hugging Face token", &["hf_"], 34, plain),
    exact("an OpenShift token", &["sha256~"], 43, word),
];

/// Tokens whose mark stands inside: what it is, the mark, the fewest characters before and behind it, of which kind.
type Inside = (&'static str, &'static str, usize, usize, fn(char) -> bool);

const INSIDE: &[Inside] = &[
    ("an OpenAI key", "T3BlbkFJ", 20, 20, word),
    ("an Azure key", "JQQJ99", 52, 26, plain),
    ("an Azure client secret", "Q~", 4, 31, |c| dotted(c) || c == '~'),
];

fn marked_inside(text: &str, forms: &[Inside]) -> Option<&'static str> {
    let holds = |(_, mark, before, behind, of): &&Inside| {
        text.match_indices(mark).any(|(at, _)| {
            text[..at].chars().rev().take_while(|c| of(*c)).count() >= *before
                && text[at + mark.len()..].chars().take_while(|c| of(*c)).count() >= *behind
        })
    };
    forms.iter().find(holds).map(|(what, ..)| *what)
}

/// `header.claims.signature`, the first two of which are JSON objects and so begin with `ey` in base64.
fn is_jwt(text: &str) -> bool {
    let part = |c: char| word(c) || c == '/';
    if !text.contains(".ey") {
        return false;
    }
    text.match_indices("ey").any(|(at, _)| {
        let mut parts = text[at..].splitn(3, '.');
        let (Some(header), Some(claims), Some(signature)) = (parts.next(), parts.next(), parts.next()) else {
            return false;
        };
        header.len() >= 17
            && header.chars().all(part)
            && claims.len() >= 17
            && claims.starts_with("ey")
            && claims.chars().all(part)
            && signature.chars().take_while(|c| part(*c)).count() >= 10
    })
}

fn is_terraform(text: &str) -> bool {
    text.split_once(".atlasv1.").is_some_and(|(id, rest)| {
        id.chars().rev().take_while(|c| plain(*c)).count() >= 14
            && rest.chars().take_while(|c| word(*c) || *c == '=').count() >= 60
    })
}

/// A query with a version and a signature of 32 bytes in base64.
fn is_azure_signature(text: &str) -> bool {
    let of = |c: char| plain(c) || matches!(c, '+' | '/' | '%');
    let signed = |signature: &str| signature.chars().take_while(|c| of(*c)).count() >= 43;
    text.contains("sv=20") && text.split("sig=").skip(1).any(signed)
}

/// `scheme://user:password@host`.
fn has_login(text: &str) -> bool {
    text.match_indices("://").any(|(at, _)| {
        let authority: &str = text[at + 3..]
            .split(['/', ' ', '\n', '"', '\'', '?'])
            .next()
            .unwrap_or_default();
        let Some((login, host)) = authority.rsplit_once('@') else {
            return false;
        };
        login
            .split_once(':')
            .is_some_and(|(user, password)| !user.is_empty() && !host.is_empty() && could_be_secret(password))
    })
}

/// Issuers whose keys have no mark of their own: the name stands before the key.
const ISSUERS: [&str; 10] = [
    "azurecr.io",
    "bitbucket",
    "datadog",
    "heroku",
    "launchdarkly",
    "new-relic",
    "newrelic",
    "okta",
    "sumo",
    "mailgun",
];

/// What the names of issuers begin with.
static NAMED: Pairs = Pairs::of_any_case(&ISSUERS);

fn named_key(text: &str) -> Option<&'static str> {
    let bytes = text.as_bytes();
    let is_key = |at: usize| {
        ISSUERS.iter().any(|issuer| {
            let end = at + issuer.len();
            let named = bytes.get(at..end);
            named.is_some_and(|named| named.eq_ignore_ascii_case(issuer.as_bytes())) && key_follows(&text[end..])
        })
    };
    NAMED
        .places(text)
        .any(is_key)
        .then_some("a key of a service that it names")
}

/// Whether a key is set right after the name of its issuer.
fn key_follows(rest: &str) -> bool {
    let gap = rest
        .chars()
        .take_while(|c| word(*c) || matches!(c, ' ' | '\t' | '.' | '\'' | '"'))
        .count();
    let operator: &str = rest.get(gap..).unwrap_or_default();
    let key = operator.trim_start_matches(['=', '>', ':', '|', '<']);
    let key_text = key.trim_start_matches(['\'', '"', ' ', '=', '`']);
    let token: &str = key_text
        .split(|c: char| !(word(c) || c == '='))
        .next()
        .unwrap_or_default();
    gap <= 24
        && key.len() < operator.len()
        && token.len() >= 14
        && token.contains(|c: char| c.is_ascii_digit())
        && token.contains(|c: char| c.is_ascii_alphabetic())
}
