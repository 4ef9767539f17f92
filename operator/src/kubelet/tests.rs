//! Kubelets that lie, stall, and are somebody else: a TLS server on loopback, and what is made of its answer.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::ask::LONGEST;
use super::*;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    authority_named("cluster")
}

fn authority_named(name: &str) -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn certificate(address: &str) -> CertificateParams {
    let mut params = CertificateParams::new([address.to_owned()]).unwrap();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params
}

fn acceptor(params: &CertificateParams, authority: &Authority) -> TlsAcceptor {
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(ring)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

fn vouched(authority: &Authority) -> Vouched {
    let mut config = Config::new(http::Uri::default());
    config.root_cert = Some(vec![authority.der().to_vec()]);
    // What must not be taken over from how the API server is reached.
    config.accept_invalid_certs = true;
    Vouched::by(&config)
}

/// A server that reads one request, keeps it, and answers with `answer`, then with `filler` for as long as somebody reads.
async fn server(acceptor: TlsAcceptor, answer: String, filler: &'static [u8]) -> (SocketAddr, Requests) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let requests = Requests::default();
    let kept = Arc::clone(&requests);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, answer, kept) = (acceptor.clone(), answer.clone(), Arc::clone(&kept));
            tokio::spawn(serve(acceptor, stream, answer, filler, kept));
        }
    });
    (address, requests)
}

type Requests = Arc<parking_lot::Mutex<Vec<String>>>;

async fn serve(acceptor: TlsAcceptor, stream: TcpStream, answer: String, filler: &[u8], kept: Requests) {
    let Ok(mut stream) = acceptor.accept(stream).await else {
        return;
    };
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => request.push(byte),
            Err(_) => return,
        }
    }
    kept.lock().push(String::from_utf8(request).unwrap());
    let mut answered = stream.write_all(answer.as_bytes()).await;
    while answered.is_ok() && !filler.is_empty() {
        answered = stream.write_all(filler).await;
    }
    let _ = stream.flush().await;
    // What was promised and does not come: the connection stays open.
    std::future::pending::<()>().await;
}

fn ok(headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

const JSON: &str = "Content-Type: application/json\r\n";

/// What becomes of an answer of a kubelet whose certificate is as it should be.
async fn asked(answer: String, filler: &'static [u8]) -> (Result<Summary, Refusal>, Requests) {
    let authority = authority();
    let (address, requests) = server(acceptor(&certificate("127.0.0.1"), &authority), answer, filler).await;
    let text = vouched(&authority).ask(PATH, address, "secret").await;
    (text.and_then(|text| Summary::decode(&text)), requests)
}

const SUMMARY: &str = r#"{"node":{"nodeName":"n"},"pods":[{"podRef":{"name":"web","namespace":"shop","uid":"1"},"containers":[
    {"name":"web","startTime":"2026-01-02T03:04:05Z","rootfs":{"time":"2026-01-02T03:05:00Z","usedBytes":40960,"inodesUsed":13}}]}]}"#;

#[tokio::test]
async fn a_kubelet_is_asked_one_question_with_the_accounts_token() {
    let (answer, requests) = asked(ok(JSON, SUMMARY), b"").await;
    answer.unwrap();
    let requests = requests.lock().clone();
    assert_eq!(requests.len(), 1);
    let request = requests[0].to_ascii_lowercase();
    assert!(request.starts_with("get /stats/summary http/1.1"), "{request}");
    assert!(request.contains("authorization: bearer secret"), "{request}");
}

#[tokio::test]
async fn answers_that_are_not_what_was_asked_for_are_refused() {
    let elsewhere = "HTTP/1.1 302 Found\r\nLocation: https://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
    let status = |line: &str| format!("HTTP/1.1 {line}\r\n{JSON}Content-Length: 2\r\n\r\n{{}}");
    for (answer, expected) in [
        (elsewhere.to_owned(), Refusal::Redirected),
        (
            status("401 Unauthorized"),
            Refusal::Denied(http::StatusCode::UNAUTHORIZED),
        ),
        (status("403 Forbidden"), Refusal::Denied(http::StatusCode::FORBIDDEN)),
        (
            status("500 Oops"),
            Refusal::Status(http::StatusCode::INTERNAL_SERVER_ERROR),
        ),
        (status("204 No Content"), Refusal::Status(http::StatusCode::NO_CONTENT)),
        (ok("", SUMMARY), Refusal::ContentType),
        (ok("Content-Type: text/html\r\n", SUMMARY), Refusal::ContentType),
        (ok(JSON, "<html>"), Refusal::Malformed),
        (ok(JSON, "[]"), Refusal::Malformed),
        (ok(JSON, "{}"), Refusal::Malformed),
        (ok(JSON, &"[".repeat(100_000)), Refusal::Malformed),
        (
            ok(JSON, r#"{"node":{"nodeName":"n"},"pods":[{"podRef":{"uid":7}}]}"#),
            Refusal::Malformed,
        ),
    ] {
        let (refused, requests) = asked(answer.clone(), b"").await;
        assert_eq!(refused.unwrap_err(), expected, "{answer:.60}");
        assert_eq!(requests.lock().len(), 1, "asked once, and nowhere else: {answer:.60}");
    }
}

#[tokio::test]
async fn no_more_is_read_than_a_kubelet_says() {
    let endless = format!("HTTP/1.1 200 OK\r\n{JSON}\r\n");
    let (refused, _) = asked(endless, &[b' '; 4096]).await;
    assert_eq!(refused.unwrap_err(), Refusal::TooLong);
    let announced = format!("HTTP/1.1 200 OK\r\n{JSON}Content-Length: {}\r\n\r\n", LONGEST * 1000);
    let (refused, _) = asked(announced, &[b' '; 4096]).await;
    assert_eq!(refused.unwrap_err(), Refusal::TooLong);
}

#[tokio::test]
async fn garbage_in_place_of_an_answer_is_no_answer() {
    let (refused, _) = asked("\0\u{1}no HTTP at all\r\n\r\n".to_owned(), b"").await;
    assert_eq!(refused.unwrap_err().label(), "Unreachable");
}

#[tokio::test]
async fn who_stalls_is_not_waited_for() {
    let half = format!("HTTP/1.1 200 OK\r\n{JSON}Content-Length: 9\r\n\r\n{{");
    let authority = authority();
    for answer in [half, String::new()] {
        let (address, _) = server(acceptor(&certificate("127.0.0.1"), &authority), answer, b"").await;
        let impatient = vouched(&authority).within(Duration::from_millis(200));
        assert_eq!(
            impatient.ask(PATH, address, "secret").await.unwrap_err(),
            Refusal::TimedOut
        );
    }
    // A server that takes connections and says nothing at all, not even who it is.
    let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let impatient = vouched(&authority).within(Duration::from_millis(200));
    let refused = impatient.ask(PATH, mute.local_addr().unwrap(), "secret").await;
    assert_eq!(refused.unwrap_err(), Refusal::TimedOut);
}

#[tokio::test]
async fn who_cannot_prove_to_be_that_kubelet_gets_no_token() {
    let (ours, impostor, unknown) = (authority(), authority(), authority_named("somebody"));
    let mut expired = certificate("127.0.0.1");
    expired.not_before = date_time_ymd(2020, 1, 1);
    expired.not_after = date_time_ymd(2020, 1, 2);
    for (acceptor, says) in [
        (acceptor(&expired, &ours), "expired"),
        (acceptor(&certificate("127.0.0.2"), &ours), "name"),
        (acceptor(&certificate("localhost"), &ours), "name"),
        (acceptor(&certificate("127.0.0.1"), &unknown), "UnknownIssuer"),
        (acceptor(&certificate("127.0.0.1"), &impostor), "BadSignature"),
    ] {
        let (address, requests) = server(acceptor, ok(JSON, SUMMARY), b"").await;
        match vouched(&ours).ask(PATH, address, "secret").await.unwrap_err() {
            Refusal::Certificate(what) => assert!(what.contains(says), "{what}"),
            other => panic!("{says}: {other:?}"),
        }
        assert!(requests.lock().is_empty(), "{says}: the token was sent");
        let again = vouched(&ours).ask(PATH, address, "secret").await;
        assert_eq!(
            again,
            vouched(&ours).ask(PATH, address, "secret").await,
            "the reason is stable"
        );
    }
}

#[tokio::test]
async fn without_a_ca_nobody_is_asked() {
    let (address, requests) = server(
        acceptor(&certificate("127.0.0.1"), &authority()),
        ok(JSON, SUMMARY),
        b"",
    )
    .await;
    let anybody = Vouched::by(&Config::new(http::Uri::default()));
    assert_eq!(
        anybody.ask(PATH, address, "secret").await.unwrap_err(),
        Refusal::NoAuthority
    );
    assert!(requests.lock().is_empty());
}

#[tokio::test]
async fn nobody_there_is_unreachable() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let refused = vouched(&authority()).ask(PATH, closed, "secret").await.unwrap_err();
    assert_eq!(refused.label(), "Unreachable", "{refused}");
}

mod summaries {
    use ironside_engine::model::layer::{Measured, Usage};
    use serde_json::json;

    use super::super::summary::measured;
    use super::*;

    fn pod(uid: &str, started_at: &str) -> Pod {
        let pod = json!({"metadata": {"namespace": "shop", "name": "web", "uid": uid}, "status": {
            "startTime": jiff::Timestamp::now(), "hostIP": "10.0.0.1",
            "containerStatuses": [{"name": "web", "state": {"running": {"startedAt": started_at}}}]}});
        serde_json::from_value(pod).unwrap()
    }

    fn said(bytes: u64, inodes: u64) -> Summary {
        let text = SUMMARY
            .replace("40960", &bytes.to_string())
            .replace("13}", &format!("{inodes}}}"));
        Summary::decode(text.as_bytes()).unwrap()
    }

    const STARTED: &str = "2026-01-02T03:04:06Z";

    #[test]
    fn growth_is_seen_from_the_first_measurement_on() {
        let pod = pod("1", STARTED);
        let first = measured(&pod, Ok(&said(40_960, 13)), None).unwrap();
        let second = measured(&pod, Ok(&said(45_056, 14)), Some(&first)).unwrap();
        let Measured::Layers(layers) = second else {
            panic!("{second:?}")
        };
        assert!(layers["web"].grew());
        let usage = Usage {
            bytes: 40_960,
            inodes: 13,
        };
        assert_eq!(layers["web"].first, usage);
    }

    #[test]
    fn what_was_measured_before_the_container_ran_is_nothing_yet() {
        assert_eq!(
            measured(&pod("1", "2026-01-02T03:05:00Z"), Ok(&said(40_960, 13)), None),
            None
        );
        assert_eq!(
            measured(&pod("1", STARTED), Ok(&said(0, 0)), None),
            None,
            "containerd has not looked yet"
        );
    }

    #[test]
    fn a_kubelet_is_believed_about_the_pod_of_that_uid_alone() {
        assert_eq!(measured(&pod("2", STARTED), Ok(&said(40_960, 13)), None), None);
        let mut old = pod("2", STARTED);
        old.status.start_time = Some(STARTED.parse().unwrap());
        let silent = measured(&old, Ok(&said(40_960, 13)), None);
        assert!(matches!(silent, Some(Measured::Unknown(why)) if why.contains("does not measure")));
    }

    #[test]
    fn a_refusal_is_the_reason_why_nothing_is_known() {
        let refusal = Refusal::Denied(http::StatusCode::FORBIDDEN);
        let unknown = measured(&pod("1", STARTED), Err(&refusal), None);
        assert!(matches!(unknown, Some(Measured::Unknown(why)) if why.contains("403")));
    }
}

#[test]
fn a_running_configuration_is_read_without_its_headers() {
    let text = br#"{"kubeletconfig":{"readOnlyPort":10255,"staticPodURLHeader":{"Authorization":["Bearer x"]}}}"#;
    let read = configz::decode(text).unwrap();
    assert_eq!(read.field("readOnlyPort"), Some(&10255.into()));
    assert_eq!(read.field("staticPodURLHeader"), None);
    for other in [
        &b"{}"[..],
        b"[]",
        b"",
        br#"{"kubeletconfig":{}}"#,
        br#"{"kubeletconfig":[]}"#,
    ] {
        assert_eq!(configz::decode(other), None, "{}", String::from_utf8_lossy(other));
    }
}
