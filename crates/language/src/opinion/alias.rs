//! Names of workloads and hosts replaced by aliases before a sentence leaves the machine, and put back after.

use crate::reading::narrow;

/// The names in one sentence, with their aliases.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Aliases {
    text: String,
    /// Alias and name, lower case, in the order of the sentence.
    workloads: Vec<(String, String)>,
}

/// A stretch of the sentence to be replaced.
struct Place {
    start: usize,
    end: usize,
    is_host: bool,
}

impl Aliases {
    /// Replaces in a sentence what is a name: any of `workloads` and `hosts` (whole words, in any case, the longest first),
    /// and whatever has the shape of an address or of a host's full name.
    #[must_use]
    pub fn of(sentence: &str, workloads: &[String], hosts: &[String]) -> Self {
        // Narrowed as the reader narrows it: a name in full width is the same name.
        let narrowed: String = sentence.chars().map(narrow).collect();
        let sentence = narrowed.as_str();
        let lower = sentence.to_ascii_lowercase();
        let mut places = Vec::new();
        mark(&lower, workloads, false, &mut places);
        mark(&lower, hosts, true, &mut places);
        mark_addresses(&lower, &mut places);
        places.sort_by_key(|place| place.start);
        let (mut aliases, mut known_hosts) = (Self::default(), Vec::new());
        let mut done = 0;
        for place in places {
            let name = &lower[place.start..place.end];
            let alias = if place.is_host { host(&mut known_hosts, name) } else { aliases.workload(name) };
            aliases.text += &sentence[done..place.start];
            aliases.text += &alias;
            done = place.end;
        }
        aliases.text += &sentence[done..];
        aliases
    }

    /// The sentence with aliases.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The aliases of workloads, in the order of the sentence.
    pub fn workloads(&self) -> impl Iterator<Item = &str> {
        self.workloads.iter().map(|(alias, _)| alias.as_str())
    }

    /// The name behind a workload's alias.
    #[must_use]
    pub fn name(&self, alias: &str) -> Option<&str> {
        self.workloads.iter().find(|(known, _)| known == alias).map(|(_, name)| name.as_str())
    }

    fn workload(&mut self, name: &str) -> String {
        if let Some((alias, _)) = self.workloads.iter().find(|(_, known)| known == name) {
            return alias.clone();
        }
        let alias = format!("workload-{}", self.workloads.len() + 1);
        self.workloads.push((alias.clone(), name.to_owned()));
        alias
    }
}

fn host(known: &mut Vec<String>, name: &str) -> String {
    let at = known.iter().position(|host| host == name).unwrap_or_else(|| {
        known.push(name.to_owned());
        known.len() - 1
    });
    format!("host-{}", at + 1)
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
fn mark_addresses(lower: &str, places: &mut Vec<Place>) {
    let in_address = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ':');
    let mut start = 0;
    for (stretch, gap) in stretches(lower, in_address) {
        let begin = start + gap;
        let trimmed = stretch.trim_matches(['.', '-']);
        let trimmed = if trimmed.contains("::") { trimmed } else { trimmed.trim_matches([':', '.', '-']) };
        let from = begin + stretch.find(trimmed).unwrap_or(0);
        start = begin + stretch.len();
        let place = Place { start: from, end: from + trimmed.len(), is_host: true };
        if looks_like_address(trimmed) && is_free(places, &place) {
            places.push(place);
        }
    }
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
    let joins = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    !lower[..place.start].chars().next_back().is_some_and(joins)
        && !lower[place.end..].chars().next().is_some_and(joins)
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
