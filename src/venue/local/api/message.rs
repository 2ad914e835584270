//! Reading a message of the WebSocket API: its id as it was sent, its parameters with their raw tokens.
//!
//! Owns: the envelope of requests. A number is kept as it was written, since it is signed so.

use super::error::Failure;
use super::params::Params;
use serde::de::IgnoredAny;

/// The longest id that is a text.
const ID_MAX: usize = 36;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message {
    /// The token, to be given back.
    pub id: String,
    /// Without a version prefix.
    pub method: String,
    pub params: Params,
}

/// Reads a request.
pub(super) fn read(text: &[u8]) -> Result<Message, (String, Failure)> {
    let refuse = |id: &str, code: i32, text: &'static str| (id.to_owned(), Failure::bad(code, text));
    let broken = || refuse("null", -1135, "JSON Request is invalid.");
    let text = std::str::from_utf8(text).map_err(|_| broken())?;
    if serde_json::from_str::<IgnoredAny>(text).is_err() {
        return Err(broken());
    }
    let members = members(text).ok_or_else(broken)?;
    let find = |name: &str| members.iter().find(|(key, _)| key == name).map(|(_, token)| *token);
    let id = find("id").ok_or_else(|| {
        refuse("null", -1102, "Mandatory parameter 'id' was not sent, was empty/null, or malformed.")
    })?;
    let fits = match id.as_bytes() {
        [b'"', ..] => id.len() <= ID_MAX + 2,
        b"null" => true,
        _ => id.parse::<i64>().is_ok(),
    };
    if !fits {
        let range = "^[a-zA-Z0-9-_]{1,36}$";
        return Err(("null".into(), Failure::illegal("id", range)));
    }
    let method = find("method").and_then(text_of).ok_or_else(|| {
        refuse(id, -1102, "Mandatory parameter 'method' was not sent, was empty/null, or malformed.")
    })?;
    let method = method.strip_prefix("v3/").map_or(method.clone(), str::to_owned);
    let mut params = Params::default();
    if let Some(token) = find("params").filter(|token| *token != "null") {
        let list = self::members(token).ok_or_else(|| refuse(id, -1135, "JSON Request is invalid."))?;
        for (name, token) in list {
            let value = match token.as_bytes()[0] {
                b'"' => text_of(token).unwrap_or_default(),
                _ if token == "null" => String::new(),
                _ => token.to_owned(),
            };
            if !params.add(name, value) {
                return Err(refuse(id, -1101, "Too many parameters sent for this endpoint."));
            }
        }
    }
    Ok(Message { id: id.to_owned(), method, params })
}

fn text_of(token: &str) -> Option<String> {
    serde_json::from_str(token).ok()
}

/// The members of an object, each with its token; `None` where this, which is JSON, is no object.
fn members(text: &str) -> Option<Vec<(String, &str)>> {
    let mut found = Vec::new();
    let mut rest = text.trim().strip_prefix('{')?;
    loop {
        rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix('}') {
            return after.trim().is_empty().then_some(found);
        }
        let (key, after) = rest.split_at(token_length(rest));
        rest = after.trim_start().strip_prefix(':')?.trim_start();
        let (value, after) = rest.split_at(token_length(rest));
        found.push((text_of(key)?, value.trim_end()));
        rest = after.trim_start();
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
}

/// Bytes of the value at the start, of text that is JSON.
fn token_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let (mut depth, mut at) = (0usize, 0);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at += 1;
                while bytes.get(at).is_some_and(|&byte| byte != b'"') {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
                if depth == 0 {
                    return (at + 1).min(bytes.len());
                }
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth == 0 => return at,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            b',' | b':' if depth == 0 => return at,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_kept_as_they_were_written() {
        let text = br#" { "id" : "a-1", "method":"v3/order.place", "params": {"price":0.01000000, "f":false,
            "t":"\u0041\"}","list":["A","B"], "n":null}} "#;
        let message = read(text).expect("a request");
        assert_eq!((message.id.as_str(), message.method.as_str()), (r#""a-1""#, "order.place"));
        let expected =
            [("price", "0.01000000"), ("f", "false"), ("t", "A\"}"), ("list", r#"["A","B"]"#), ("n", "")];
        assert_eq!(message.params.iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn what_is_no_request_is_told_why() {
        let cases: [(&[u8], i32); 9] = [
            (b"", -1135),
            (b"[1]", -1135),
            (b"{\"id\":1", -1135),
            (b"\xFF", -1135),
            (br#"{"method":"ping"}"#, -1102),
            (br#"{"id":1}"#, -1102),
            (br#"{"id":1.5,"method":"ping"}"#, -1100),
            (br#"{"id":1,"method":"ping","params":[1]}"#, -1135),
            (br#"{"id":1,"method":"ping","params":{"a":1,"a":2}}"#, -1101),
        ];
        for (text, code) in cases {
            let failure = read(text).expect_err("no request").1;
            assert_eq!(failure.code, code, "{}", String::from_utf8_lossy(text));
        }
    }
}
