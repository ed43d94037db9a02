//! Names of workloads and hosts replaced by aliases before a sentence leaves the machine, and put back after.

use crate::reading::narrow;
use std::collections::BTreeSet;

/// The names in one sentence, with their aliases.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Aliases {
    text: String,
    /// The sentence without its names.
    bare: String,
    /// In the order of the sentence.
    workloads: Vec<Alias>,
    hosts: Vec<Alias>,
}

/// A name and what stands for it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Alias {
    alias: String,
    /// Lower case.
    name: String,
    /// As it stands where it is first mentioned.
    written: String,
}

/// A stretch of the sentence to be replaced.
struct Place {
    start: usize,
    end: usize,
    is_host: bool,
}

impl Place {
    /// Whether another lies in it and is shorter.
    const fn is_around(&self, other: &Self) -> bool {
        self.start <= other.start && other.end <= self.end && other.end - other.start < self.end - self.start
    }

    /// Whether an address has at least three parts, as full names of hosts have; "nginx.service" has two.
    fn is_full_name(&self, lower: &str) -> bool {
        lower[self.start..self.end].matches('.').count() > 1
    }
}

impl Aliases {
    /// Replaces in a sentence what is a name: any of `workloads` and `hosts` (whole words, in any case, the longest first),
    /// and whatever has the shape of an address or of a host's full name.
    #[must_use]
    pub fn of(sentence: &str, workloads: &[String], hosts: &[String]) -> Self {
        // Narrowed as the reader narrows it: a name in full width is the same name. Lines stay lines.
        let narrowed: String = sentence.chars().map(|c| if c == '\n' { c } else { narrow(c) }).collect();
        let sentence = narrowed.as_str();
        let lower = sentence.to_ascii_lowercase();
        let mut places = Vec::new();
        mark(&lower, workloads, false, &mut places);
        mark(&lower, hosts, true, &mut places);
        let addresses = addresses(&lower);
        // "web.corp.example.com" is a host, whatever is called "web".
        places
            .retain(|place| !addresses.iter().any(|address| address.is_full_name(&lower) && address.is_around(place)));
        let free: Vec<Place> = addresses.into_iter().filter(|address| is_free(&places, address)).collect();
        places.extend(free);
        places.sort_by_key(|place| place.start);
        let mut aliases = Self::default();
        let mut done = 0;
        for place in places {
            let written = &sentence[place.start..place.end];
            let (kind, known) =
                if place.is_host { ("host", &mut aliases.hosts) } else { ("workload", &mut aliases.workloads) };
            let alias = alias_of(known, kind, written);
            aliases.put(&sentence[done..place.start]);
            aliases.text += &alias;
            aliases.bare.push(' ');
            done = place.end;
        }
        aliases.put(&sentence[done..]);
        aliases
    }

    fn put(&mut self, words: &str) {
        self.text += words;
        self.bare += words;
    }

    /// The sentence with aliases.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The sentence without its names.
    #[must_use]
    pub fn bare(&self) -> &str {
        &self.bare
    }

    /// The names of workloads and hosts in the sentence, lower case.
    #[must_use]
    pub fn names(&self) -> BTreeSet<String> {
        self.workloads.iter().chain(&self.hosts).map(|known| known.name.clone()).collect()
    }

    /// The aliases of workloads, in the order of the sentence.
    pub fn workloads(&self) -> impl Iterator<Item = &str> {
        self.workloads.iter().map(|known| known.alias.as_str())
    }

    /// The name behind a workload's alias, lower case.
    #[must_use]
    pub fn name(&self, alias: &str) -> Option<&str> {
        self.workloads.iter().find(|known| known.alias == alias).map(|known| known.name.as_str())
    }

    /// Another text with the names put back where their aliases stand.
    ///
    /// # Errors
    /// What has the form of an alias and is none.
    pub fn restored(&self, text: &str) -> Result<String, String> {
        let (mut restored, mut done) = (String::new(), 0);
        let mut start = 0;
        for (word, gap) in stretches(text, joins) {
            let begin = start + gap;
            start = begin + word.len();
            if let Some(name) = self.behind(word)? {
                restored += &text[done..begin];
                restored += name;
                done = start;
            }
        }
        Ok(restored + &text[done..])
    }

    /// The name behind a word that has the form of an alias.
    fn behind(&self, word: &str) -> Result<Option<&str>, String> {
        let lower = word.to_ascii_lowercase();
        let formed = ["workload-", "host-"].iter().any(|kind| {
            lower.strip_prefix(kind).is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|c| c.is_ascii_digit()))
        });
        let known = self.workloads.iter().chain(&self.hosts).find(|known| known.alias == lower);
        match known {
            Some(known) => Ok(Some(&known.written)),
            None if formed => Err(word.to_owned()),
            None => Ok(None),
        }
    }
}

/// The alias of a name, the same for the same name.
fn alias_of(known: &mut Vec<Alias>, kind: &str, written: &str) -> String {
    let name = written.to_ascii_lowercase();
    if let Some(known) = known.iter().find(|known| known.name == name) {
        return known.alias.clone();
    }
    let alias = format!("{kind}-{}", known.len() + 1);
    known.push(Alias { alias: alias.clone(), name, written: written.to_owned() });
    alias
}

/// Every whole-word occurrence of each name that lies in none found before.
fn mark(lower: &str, names: &[String], is_host: bool, places: &mut Vec<Place>) {
    let mut names: Vec<String> = names.iter().map(|name| name.to_ascii_lowercase()).collect();
    names.retain(|name| !name.is_empty());
    names.sort_by_key(|name| std::cmp::Reverse(name.len()));
    for name in names {
        for (start, _) in lower.match_indices(&name) {
            let place = Place { start, end: start + name.len(), is_host };
            if is_whole(lower, &place) && is_free(places, &place) {
                places.push(place);
            }
        }
    }
}

/// Addresses and full names of hosts: stretches of ASCII letters, digits, `-`, `.` and `:` that look like one.
fn addresses(lower: &str) -> Vec<Place> {
    let mut places = Vec::new();
    let in_address = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ':');
    let mut start = 0;
    for (stretch, gap) in stretches(lower, in_address) {
        let begin = start + gap;
        let trimmed = stretch.trim_matches(['.', '-']);
        let trimmed = if trimmed.contains("::") { trimmed } else { trimmed.trim_matches([':', '.', '-']) };
        let from = begin + stretch.find(trimmed).unwrap_or(0);
        start = begin + stretch.len();
        let place = Place { start: from, end: from + trimmed.len(), is_host: true };
        if looks_like_address(trimmed) {
            places.push(place);
        }
    }
    places
}

/// Each stretch of characters of a class, with the number of bytes between it and the one before.
fn stretches(text: &str, of: impl Fn(char) -> bool) -> Vec<(&str, usize)> {
    let mut found = Vec::new();
    let mut end = 0;
    while let Some(from) = text[end..].find(&of) {
        let begin = end + from;
        let length = text[begin..].find(|c| !of(c)).unwrap_or(text.len() - begin);
        found.push((&text[begin..begin + length], from));
        end = begin + length;
    }
    found
}

fn looks_like_address(text: &str) -> bool {
    let dots = text.matches('.').count();
    let name = text.split(':').next().unwrap_or_default();
    let last = name.rsplit('.').next().unwrap_or_default();
    let ends_in_letters = last.len() > 1 && last.chars().all(|c| c.is_ascii_alphabetic());
    // "1.5x", "2.5cores" and "7.30pm" are amounts and hours: before the last dot a host that begins with a digit has a letter or another dot.
    let front = name.rsplit_once('.').map_or("", |(front, _)| front);
    let is_named = front.contains(|c: char| c.is_ascii_alphabetic() || c == '.');
    (dots >= 1 && is_named && ends_in_letters) || dots == 3 || is_v6(text)
}

/// "fd00::5", "fe80::1:2:3", "2001:db8:0:1:1:1:1:1"; not "20:00:00".
fn is_v6(text: &str) -> bool {
    let colons = text.matches(':').count();
    let hex = text.chars().all(|c| c.is_ascii_hexdigit() || matches!(c, ':' | '.'));
    let letter = text.contains(|c: char| matches!(c, 'a'..='f'));
    colons > 2 || (colons == 2 && hex && (letter || text.contains("::")))
}

/// True where no letter, digit or joining mark stands beside it: Chinese characters and blanks end a name.
fn is_whole(lower: &str, place: &Place) -> bool {
    !lower[..place.start].chars().next_back().is_some_and(joins)
        && !lower[place.end..].chars().next().is_some_and(joins)
}

/// What words of a name are made of.
fn joins(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_')
}

fn is_free(places: &[Place], place: &Place) -> bool {
    places.iter().all(|other| place.end <= other.start || other.end <= place.start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(sentence: &str, hidden: &str) {
        let workloads =
            ["checkout", "checkout-api", "/system.slice/nginx.service", "nginx", "web-*"].map(str::to_owned);
        let aliases = Aliases::of(sentence, &workloads, &["db01".to_owned()]);
        assert_eq!(aliases.text(), hidden);
    }

    #[test]
    fn names_of_workloads_and_hosts_stay_here() {
        check("expect 3x traffic on Checkout and checkout-api", "expect 3x traffic on workload-1 and workload-2");
        check("给checkout扩容到 4 核，checkout 优先", "给workload-1扩容到 4 核,workload-1 优先");
        check("limit /system.slice/nginx.service and web-* to 2 cores", "limit workload-1 and workload-2 to 2 cores");
        check("nginx on DB01 at 10.0.12.7:8080 is slow", "workload-1 on host-1 at host-2 is slow");
        check("see fe80::1:2:3 and shop.example.com, thanks.", "see host-1 and host-2, thanks.");
        check("limit ｃｈｅｃｋｏｕｔ and Ｄｂ０１ to 2 cores", "limit workload-1 and host-1 to 2 cores");
        check("fd00::5, ::1 and fd00:: are slow, dead:beef:1 too", "host-1, host-2 and host-3 are slow, host-4 too");
        check("3com.example.com and 1.pool.ntp.org:123 at 20:00:00", "host-1 and host-2 at 20:00:00");
        check("why was nginx.corp.example.com slow, nginx.service too", "why was host-1 slow, workload-1.service too");
        check("mycheckout, checkouts and nginx_old", "mycheckout, checkouts and nginx_old");
        check(
            "20:00-22:00 at 1.5x, 2.5cores, 512Mi, v1.2, 7.30pm",
            "20:00-22:00 at 1.5x, 2.5cores, 512Mi, v1.2, 7.30pm",
        );
    }

    #[test]
    fn aliases_lead_back() {
        let aliases = Aliases::of("Checkout and nginx", &["nginx".to_owned(), "checkout".to_owned()], &[]);
        assert_eq!(aliases.workloads().collect::<Vec<_>>(), ["workload-1", "workload-2"]);
        assert_eq!((aliases.name("workload-1"), aliases.name("workload-3")), (Some("checkout"), None));
        let aliases = Aliases::of("Checkout on db1.example.com", &["checkout".to_owned()], &[]);
        assert_eq!(aliases.names().into_iter().collect::<Vec<_>>(), ["checkout", "db1.example.com"]);
        assert_eq!(aliases.bare(), "  on  ");
        let put_back = |text: &str| aliases.restored(text);
        assert_eq!(
            put_back("host-1: Workload-1, 由workload-1."),
            Ok("db1.example.com: Checkout, 由Checkout.".to_owned())
        );
        assert_eq!(put_back("workload-12 is slow"), Err("workload-12".to_owned()));
        assert_eq!(put_back("my-workload-1 and workload-one"), Ok("my-workload-1 and workload-one".to_owned()));
    }

    proptest! {
        #[test]
        fn no_known_name_is_left_as_a_word(words in prop::collection::vec("(checkout|nginx|支付|a|-|\\.| |，){1,3}", 0..8)) {
            let sentence = words.join(" ");
            let names = ["checkout".to_owned(), "nginx".to_owned()];
            let hidden = Aliases::of(&sentence, &names, &[]);
            let again = Aliases::of(hidden.text(), &names, &[]);
            prop_assert_eq!(again.workloads().count(), 0, "{}", hidden.text());
        }
    }
}
