//! An API server that lies and stalls: a server on loopback, and what is made of its answer.

use http::StatusCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::ask::LONGEST_FLAGS;
use super::*;

/// A server that answers every request with `answer`, then with `filler` for as long as somebody reads; and what it was asked.
async fn server(answer: String, filler: &'static [u8]) -> (Asker, Arc<parking_lot::Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let requests = Arc::<parking_lot::Mutex<Vec<String>>>::default();
    let kept = Arc::clone(&requests);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                match stream.read_u8().await {
                    Ok(byte) => request.push(byte),
                    Err(_) => break,
                }
            }
            kept.lock()
                .push(String::from_utf8(request).unwrap().to_ascii_lowercase());
            let mut answered = stream.write_all(answer.as_bytes()).await;
            while answered.is_ok() && !filler.is_empty() {
                answered = stream.write_all(filler).await;
            }
        }
    });
    let mut config = Config::new(format!("http://{address}").parse().unwrap());
    config.default_retry = false;
    config.auth_info.token = Some("secret".to_owned().into());
    let client = Client::try_from(config.clone()).unwrap();
    (Asker::new(client, &config), requests)
}

fn answer(status: &str, kind: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

const JSON: &str = "application/json;g=config.k8s.io;v=v1beta1;as=Flagz";
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores";
const FLAGZ: &str = r#"{"kind":"Flagz","apiVersion":"config.k8s.io/v1beta1","metadata":{"name":"kube-apiserver"},"flags":{"profiling":"true"}}"#;

#[tokio::test]
async fn flags_are_asked_for_in_the_structured_form() {
    let (asker, requests) = server(answer("200 OK", JSON, FLAGZ), b"").await;
    assert_eq!(asker.flags().await.unwrap().value("profiling"), Some("true"));
    let request = requests.lock()[0].clone();
    assert!(request.starts_with("get /flagz http/1.1"), "{request}");
    assert!(
        request.contains("as=flagz") && request.contains("authorization: bearer secret"),
        "{request}"
    );
}

#[tokio::test]
async fn whoever_has_no_credentials_sends_none() {
    let (asker, requests) = server(answer("401 Unauthorized", JSON, "{}"), b"").await;
    assert_eq!(asker.anonymous().await, Ok(Anonymous::Refused));
    assert!(!requests.lock()[0].contains("authorization"), "{:?}", requests.lock());
    for (status, expected) in [
        ("403 Forbidden", Ok(Anonymous::Served(403))),
        ("200 OK", Ok(Anonymous::Served(200))),
        (
            "503 Unavailable",
            Err(Silence::Status("/api", StatusCode::SERVICE_UNAVAILABLE)),
        ),
    ] {
        let (asker, _) = server(answer(status, JSON, "{}"), b"").await;
        assert_eq!(asker.anonymous().await, expected, "{status}");
    }
}

#[tokio::test]
async fn metrics_are_read_line_by_line() {
    let text = "# TYPE apiserver_audit_event_total counter\napiserver_audit_event_total 3\n";
    let (asker, _) = server(answer("200 OK", TEXT, text), b"").await;
    assert_eq!(asker.counters().await.unwrap().audits, Some(true));
}

#[tokio::test]
async fn what_is_not_an_answer_is_a_gap_with_its_reason() {
    let flags = "/flagz";
    for (status, kind, body, expected) in [
        ("302 Found", JSON, FLAGZ, Silence::Redirected(flags)),
        (
            "401 Unauthorized",
            JSON,
            "{}",
            Silence::Denied(flags, StatusCode::UNAUTHORIZED),
        ),
        (
            "403 Forbidden",
            JSON,
            "{}",
            Silence::Denied(flags, StatusCode::FORBIDDEN),
        ),
        ("404 Not Found", JSON, "{}", Silence::NotServed(flags)),
        ("406 Not Acceptable", JSON, "{}", Silence::NotServed(flags)),
        (
            "500 Oops",
            JSON,
            FLAGZ,
            Silence::Status(flags, StatusCode::INTERNAL_SERVER_ERROR),
        ),
        ("200 OK", TEXT, FLAGZ, Silence::ContentType(flags)),
        ("200 OK", JSON, "<html>", Silence::Malformed(flags)),
        ("200 OK", JSON, "{\"kind\":\"Flagz\"}", Silence::Malformed(flags)),
    ] {
        let (asker, requests) = server(answer(status, kind, body), b"").await;
        assert_eq!(asker.flags().await, Err(expected), "{status}, {kind}, {body}");
        assert_eq!(requests.lock().len(), 1, "asked once, and nowhere else");
    }
    let (asker, _) = server(answer("200 OK", TEXT, "no metrics"), b"").await;
    assert_eq!(asker.counters().await, Err(Silence::Malformed("/metrics")));
    let (asker, _) = server("\0\u{1}no HTTP at all\r\n\r\n".to_owned(), b"").await;
    assert_eq!(asker.flags().await.unwrap_err().reason(), "Unreachable");
}

#[tokio::test]
async fn no_more_is_read_than_an_api_server_says() {
    let endless = format!("HTTP/1.1 200 OK\r\nContent-Type: {JSON}\r\n\r\n");
    let (asker, _) = server(endless, &[b' '; 4096]).await;
    assert_eq!(asker.flags().await, Err(Silence::TooLong("/flagz")));
    let announced = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {JSON}\r\nContent-Length: {}\r\n\r\n",
        LONGEST_FLAGS * 1000
    );
    let (asker, _) = server(announced, &[b' '; 4096]).await;
    assert_eq!(asker.flags().await, Err(Silence::TooLong("/flagz")));
}

#[test]
fn who_does_not_answer_is_asked_ever_more_rarely_and_known_a_moment_longer() {
    let start = Instant::now();
    let mut schedule = Schedule::default();
    let mut known = Answer::default();
    schedule.conclude(start, &mut known, Ok(1));
    assert!(!schedule.is_due(start) && schedule.is_due(start + PERIOD));
    schedule.conclude(start, &mut known, Err(Silence::TimedOut("/flagz")));
    assert_eq!(known.said(), Some(&1), "a server that starts again");
    schedule.conclude(start, &mut known, Err(Silence::TimedOut("/flagz")));
    assert_eq!(known.gap().map(|gap| gap.reason), Some("TimedOut"));
    schedule.conclude(start, &mut known, Ok(2));
    schedule.conclude(start, &mut known, Err(Silence::NotServed("/flagz")));
    assert_eq!(
        known.gap().map(|gap| gap.reason),
        Some("NotServed"),
        "it said so itself"
    );

    let mut questions = 0;
    let mut now = start;
    let mut refused = Schedule::default();
    while now < start + Duration::from_hours(1) {
        if refused.is_due(now) {
            refused.conclude::<()>(
                now,
                &mut Answer::default(),
                Err(Silence::Denied("/flagz", StatusCode::FORBIDDEN)),
            );
            questions += 1;
        }
        now += PERIOD;
    }
    assert_eq!(questions, 11, "0.5, 0.5, 1, 2, 4, 8 minutes, then every eight");
}
