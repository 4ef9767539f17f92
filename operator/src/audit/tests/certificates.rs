//! Who may connect.

use rcgen::ExtendedKeyUsagePurpose;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::client::{Client, Folder, Running, authority, issued, list};
use crate::audit::certificates::Certificates;
use crate::audit::server::Standing;

const REFUSED: &str = "ironside_audit_connections_refused_total";

/// Whether an empty list is taken.
async fn is_taken(client: &Client) -> bool {
    match client.post(&list([])).await {
        Ok(answer) => answer.starts_with("HTTP/1.1 "),
        Err(_) => false,
    }
}

#[tokio::test]
async fn only_a_client_with_a_certificate_of_the_right_ca_gets_an_answer() {
    let mut sink = Running::start("clients").await;
    assert!(!is_taken(&Client::new(&sink, None)).await);
    assert_eq!(sink.count(REFUSED, "no_certificate"), 1);
    assert!(
        !is_taken(&Client::new(&sink, Some(&authority("clients")))).await,
        "the name of a CA is not its key"
    );
    assert_eq!(sink.count(REFUSED, "wrong_certificate"), 1);
    let server = Client::with_usage(&sink, Some(&sink.folder.clients), ExtendedKeyUsagePurpose::ServerAuth);
    assert!(!is_taken(&server).await, "a server's certificate");
    assert_eq!(sink.count(REFUSED, "wrong_certificate"), 2);

    let mut plain = TcpStream::connect(sink.address).await.unwrap();
    plain
        .write_all(b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"), "no word in plain text");
    assert_eq!(sink.count(REFUSED, "handshake"), 1);

    let client = sink.client();
    let answer = tokio::spawn(async move { is_taken(&client).await });
    let delivery = sink.deliveries.recv().await.unwrap();
    delivery.judged.send(()).unwrap();
    assert!(answer.await.unwrap());
    assert!(
        sink.deliveries.try_recv().is_err(),
        "nothing of the others came through"
    );
}

#[tokio::test]
async fn certificates_that_change_are_used_and_bad_ones_are_not() {
    let sink = Running::start("changed").await;
    *sink.standing.lock() = Standing::NotLeading;
    let old = sink.client();
    assert!(is_taken(&old).await);
    assert!(!sink.certificates.refresh().unwrap());

    // The next CA.
    let next = authority("next");
    sink.folder.write("ca.crt", &next.pem());
    assert!(sink.certificates.refresh().unwrap());
    assert!(!is_taken(&old).await);
    let new = Client::new(&sink, Some(&next));
    assert!(is_taken(&new).await);

    // A file that is half written changes nothing, and is not taken for read.
    for (file, text, argument) in [
        ("ca.crt", "", "--audit-client-ca"),
        ("tls.key", "-----BEGIN PRIVATE KEY-----\n", "--audit-key"),
        ("tls.crt", "nonsense", "--audit-certificate"),
    ] {
        let good = std::fs::read_to_string(sink.folder.file(file)).unwrap();
        sink.folder.write(file, text);
        for _ in 0..2 {
            let error = sink.certificates.refresh().unwrap_err().to_string();
            assert!(error.contains(argument) && error.contains(file), "{error}");
        }
        assert!(is_taken(&new).await, "{file}");
        sink.folder.write(file, &good);
    }
    assert!(!sink.certificates.refresh().unwrap());
}

#[test]
fn what_is_wrong_with_a_file_is_said_with_its_argument() {
    let folder = Folder::new("wrong");
    let (_, another_key) = issued(&folder.servers, ExtendedKeyUsagePurpose::ServerAuth);
    for (file, text, expected) in [
        ("tls.crt", Some(""), "no certificate in PEM form in it"),
        ("tls.key", Some(""), "no private key in PEM form"),
        ("tls.key", Some(another_key.as_str()), "does not go with --audit-key"),
        (
            "ca.crt",
            Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
            "no certificate of a CA",
        ),
        ("ca.crt", None, "cannot be read"),
    ] {
        let good = std::fs::read_to_string(folder.file(file)).unwrap();
        match text {
            Some(text) => folder.write(file, text),
            None => std::fs::remove_file(folder.file(file)).unwrap(),
        }
        let error = Certificates::read(folder.files()).err().unwrap().to_string();
        assert!(error.contains(expected) && error.contains("--audit-"), "{error}");
        folder.write(file, &good);
    }
    assert!(Certificates::read(folder.files()).is_ok());
}
