//! The configuration of CoreDNS: blocks of servers, each with its plugins, as Caddy's first configuration language has them (CoreDNS manual, Configuration).
//!
//! Tokens end at white space, quotes keep it, `#` begins a comment. `{` at the end of a line opens a block and `}` on a line of its own closes it. A snippet
//! `(name) {…}` is put in where `import name` stands; other imports are files, which nobody here can read.

use std::collections::BTreeMap;
use std::fmt;

/// How deep blocks may stand in each other; CoreDNS has plugins with one.
const DEEPEST: usize = 8;

/// How many directives there may be, snippets put in: a snippet in a snippet grows fast.
const MOST: usize = 4096;

/// One file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Corefile {
    /// Servers in order.
    pub servers: Vec<Server>,
}

/// What is served for some zones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Server {
    /// Zones with their ports, as written: `.:53`, `example.com`.
    pub zones: Vec<String>,
    /// Plugins in order.
    pub plugins: Vec<Directive>,
    /// Files that are imported and were not seen.
    pub imports: Vec<String>,
}

/// A plugin, or a property of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directive {
    /// Its name.
    pub name: String,
    /// What follows on its line.
    pub arguments: Vec<String>,
    /// What stands in its block.
    pub block: Vec<Self>,
}

/// Why a file cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    line: usize,
    what: &'static str,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl Server {
    /// Every plugin of this name.
    pub fn plugins<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Directive> {
        self.plugins.iter().filter(move |plugin| plugin.name == name)
    }

    /// Whether it has a plugin of this name; `None` where it may stand in a file that was not seen.
    pub fn has(&self, name: &str) -> Option<bool> {
        let has = self.plugins(name).next().is_some();
        (has || self.imports.is_empty()).then_some(has)
    }
}

impl Directive {
    /// A property by its name.
    pub fn property<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.block.iter().filter(move |property| property.name == name)
    }
}

/// Its line, as it is written.
impl fmt::Display for Directive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        self.arguments.iter().try_for_each(|argument| write!(f, " {argument}"))
    }
}

impl Corefile {
    /// Reads a file.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let tokens = tokens(text)?;
        let mut reader = Reader { tokens: &tokens, at: 0 };
        let mut snippets = BTreeMap::new();
        let mut servers = Vec::new();
        while let Some(first) = reader.peek() {
            let line = first.line;
            let mut zones = reader.zones()?;
            let block = reader.block(0)?;
            if let [name] = zones.as_slice()
                && let Some(name) = name.strip_prefix('(').and_then(|name| name.strip_suffix(')'))
            {
                snippets.insert(name.to_owned(), block);
                continue;
            }
            zones.retain(|zone| !zone.is_empty());
            if zones.is_empty() {
                return Err(Malformed {
                    line,
                    what: "a block without a zone",
                });
            }
            servers.push((line, zones, block));
        }
        let servers = servers.into_iter().map(|(line, zones, block)| {
            let mut server = Server {
                zones,
                ..Server::default()
            };
            put_in(block, &snippets, 0, &mut server).map_err(|what| Malformed { line, what })?;
            Ok(server)
        });
        Ok(Self {
            servers: servers.collect::<Result<_, _>>()?,
        })
    }
}

/// Puts directives into a server, snippets in place of their imports.
fn put_in(
    block: Vec<Directive>,
    snippets: &BTreeMap<String, Vec<Directive>>,
    depth: usize,
    server: &mut Server,
) -> Result<(), &'static str> {
    for directive in block {
        if server.plugins.len() >= MOST || depth > DEEPEST {
            return Err("too many directives");
        }
        if directive.name != "import" {
            server.plugins.push(directive);
            continue;
        }
        for name in directive.arguments.into_iter().take(1) {
            match snippets.get(&name) {
                Some(snippet) => put_in(snippet.clone(), snippets, depth + 1, server)?,
                None => server.imports.push(name),
            }
        }
    }
    Ok(())
}

/// A token, where it stands, and whether it was quoted.
#[derive(Debug)]
struct Token {
    text: String,
    line: usize,
    quoted: bool,
}

impl Token {
    fn is(&self, brace: &str) -> bool {
        !self.quoted && self.text == brace
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, Malformed> {
    let mut tokens = Vec::new();
    let mut letters = text.chars().peekable();
    let mut line = 1;
    while let Some(letter) = letters.next() {
        match letter {
            '\n' => line += 1,
            letter if letter.is_whitespace() => {}
            '#' => while letters.next_if(|letter| *letter != '\n').is_some() {},
            '"' => {
                let begun = line;
                let mut token = String::new();
                loop {
                    match letters.next() {
                        Some('"') => break,
                        Some('\\') if letters.peek() == Some(&'"') => token.extend(letters.next()),
                        Some(letter) => {
                            line += usize::from(letter == '\n');
                            token.push(letter);
                        }
                        None => {
                            return Err(Malformed {
                                line: begun,
                                what: "a quote without an end",
                            });
                        }
                    }
                }
                tokens.push(Token {
                    text: token,
                    line: begun,
                    quoted: true,
                });
            }
            letter => {
                let mut token = letter.to_string();
                while let Some(letter) = letters.next_if(|letter| !letter.is_whitespace()) {
                    token.push(letter);
                }
                tokens.push(Token {
                    text: token,
                    line,
                    quoted: false,
                });
            }
        }
    }
    Ok(tokens)
}

struct Reader<'a> {
    tokens: &'a [Token],
    at: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<&'a Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Option<&'a Token> {
        let token = self.peek();
        self.at += usize::from(token.is_some());
        token
    }

    /// The end of what there is.
    fn malformed(&self, what: &'static str) -> Malformed {
        let token = self.peek().or_else(|| self.tokens.last());
        Malformed {
            line: token.map_or(1, |token| token.line),
            what,
        }
    }

    /// Zones up to the brace that opens their block.
    fn zones(&mut self) -> Result<Vec<String>, Malformed> {
        let mut zones = Vec::new();
        loop {
            match self.next() {
                Some(token) if token.is("{") => return Ok(zones),
                Some(token) if !token.is("}") => {
                    zones.extend(token.text.split(',').map(str::to_owned).filter(|zone| !zone.is_empty()));
                }
                _ => return Err(self.malformed("zones without a block")),
            }
        }
    }

    /// Directives up to the brace that closes their block.
    fn block(&mut self, depth: usize) -> Result<Vec<Directive>, Malformed> {
        if depth > DEEPEST {
            return Err(self.malformed("blocks too deep in each other"));
        }
        let mut directives = Vec::new();
        loop {
            let Some(name) = self.next() else {
                return Err(self.malformed("a block without an end"));
            };
            if name.is("}") {
                return Ok(directives);
            }
            if name.is("{") {
                return Err(self.malformed("a block without a name"));
            }
            if directives.len() >= MOST {
                return Err(self.malformed("too many directives"));
            }
            let mut directive = Directive {
                name: name.text.clone(),
                ..Directive::default()
            };
            while let Some(token) = self.peek().filter(|token| token.line == name.line) {
                if token.is("}") {
                    break;
                }
                self.at += 1;
                if token.is("{") {
                    directive.block = self.block(depth + 1)?;
                    break;
                }
                directive.arguments.push(token.text.clone());
            }
            directives.push(directive);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What kubeadm installs.
    const KUBEADM: &str = "
.:53 {
    errors
    health {
       lameduck 5s
    }
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }
    prometheus :9153
    forward . /etc/resolv.conf {
       max_concurrent 1000
    }
    cache 30 {
       disable success cluster.local
    }
    loop
    reload
    loadbalance
}
";

    #[test]
    fn the_file_of_kubeadm_is_read() {
        let read = Corefile::parse(KUBEADM).unwrap();
        let [server] = read.servers.as_slice() else {
            panic!("{read:?}")
        };
        assert_eq!(server.zones, [".:53"]);
        let names: Vec<&str> = server.plugins.iter().map(|plugin| plugin.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "errors",
                "health",
                "ready",
                "kubernetes",
                "prometheus",
                "forward",
                "cache",
                "loop",
                "reload",
                "loadbalance"
            ]
        );
        let kubernetes = server.plugins("kubernetes").next().unwrap();
        assert_eq!(kubernetes.arguments, ["cluster.local", "in-addr.arpa", "ip6.arpa"]);
        assert_eq!(kubernetes.property("pods").next().unwrap().to_string(), "pods insecure");
        assert_eq!((server.has("errors"), server.has("log")), (Some(true), Some(false)));
    }

    #[test]
    fn servers_comments_quotes_and_snippets_are_read() {
        let text = "(common) {\n  errors # kept\n  cache\n}\n. , example.com:5353 {\n import common\n template IN A {\n  match \"^a b$\"\n }\n}\ntls://. {\n import /etc/coredns/*.override\n}\n";
        let read = Corefile::parse(text).unwrap();
        assert_eq!(read.servers.len(), 2);
        assert_eq!(read.servers[0].zones, [".", "example.com:5353"]);
        assert_eq!(read.servers[0].has("errors"), Some(true));
        let template = read.servers[0].plugins("template").next().unwrap();
        assert_eq!(template.block[0].arguments, ["^a b$"]);
        assert_eq!(read.servers[1].has("errors"), None, "it may stand in the file");
        assert_eq!(read.servers[1].imports, ["/etc/coredns/*.override"]);
    }

    #[test]
    fn what_coredns_refuses_says_where() {
        for (text, line) in [
            (".:53 {\n errors\n", 2),
            (".:53\n", 1),
            ("{\n errors\n}\n", 1),
            (".:53 {\n kubernetes {\n  pods insecure\n", 3),
            (".:53 {\n log \"a\n}\n", 2),
            ("}\n", 1),
        ] {
            let refused = Corefile::parse(text).unwrap_err();
            assert_eq!(refused.line, line, "{text}: {refused}");
        }
    }

    #[test]
    fn what_grows_is_bounded() {
        let deep = format!(".{}", " {\n a".repeat(100_000));
        assert!(Corefile::parse(&deep).is_err());
        let snippets: String = (0..20)
            .map(|number| format!("(s{number}) {{\n import s{0}\n import s{0}\n}}\n", number + 1))
            .collect::<Vec<_>>()
            .concat();
        let bomb = format!("{snippets}(s20) {{\n a\n}}\n. {{\n import s0\n}}\n");
        assert!(Corefile::parse(&bomb).is_err());
        let circle = "(a) {\n import a\n}\n. {\n import a\n}\n";
        assert!(Corefile::parse(circle).is_err());
    }
}
