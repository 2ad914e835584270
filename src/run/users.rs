//! Who a user is, by the kernel's word and the system's list of users: never by the environment, which anybody may set.
//!
//! The list is the file itself, not the C library's resolver: that may ask a server and wait for it, and who is asked for
//! here comes with a command that should not wait.

use nix::unistd::Uid;

/// The system's list of users.
const USERS: &str = "/etc/passwd";

/// Who this process runs as.
#[must_use]
pub fn own() -> String {
    name(Uid::current().as_raw())
}

/// The name of a user; `uid N` where the list has none.
#[must_use]
pub fn name(id: u32) -> String {
    let list = std::fs::read_to_string(USERS).unwrap_or_default();
    find(&list, id).map_or_else(|| format!("uid {id}"), str::to_owned)
}

/// The same with the number, which is what the kernel knows.
#[must_use]
pub fn name_and_number(id: u32) -> String {
    let name = name(id);
    let number = format!("uid {id}");
    if name == number { number } else { format!("{name} ({number})") }
}

/// `name:password:number:…` lines. The first counts, as everywhere; what does not look like a name is none.
fn find(list: &str, id: u32) -> Option<&str> {
    let user = |line: &'_ str| -> Option<(usize, u32)> {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let number = fields.nth(1)?.parse().ok()?;
        let good = !name.is_empty() && !name.starts_with(['+', '-', '#']) && !name.contains(char::is_control);
        good.then_some((name.len(), number))
    };
    list.lines().find_map(|line| user(line).filter(|(_, number)| *number == id).map(|(end, _)| &line[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_named_by_the_list_and_by_the_number_where_it_has_none() {
        let list = "root:x:0:0:root:/root:/bin/bash\n# a remark\nanna:x:1000:1000:Anna:/home/anna:/bin/sh\n\
                    also-anna:x:1000:1000::/:/bin/sh\nbroken\n+::::::\n:x:7:7::/:/bin/sh\nbad\u{1b}[2J:x:8:8::/:/bin/sh\n";
        assert_eq!(
            [0, 1000, 7, 8, 42].map(|id| find(list, id)),
            [Some("root"), Some("anna"), None, None, None]
        );
        let nobody = 4_123_456_789;
        assert_eq!(
            (name(nobody), name_and_number(nobody)),
            ("uid 4123456789".into(), "uid 4123456789".into())
        );
    }
}
