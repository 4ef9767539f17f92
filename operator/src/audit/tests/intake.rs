//! What is taken, what is refused, and that nothing is lost in between.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinSet;

use super::client::{Running, list};
use crate::audit::server::{BATCHES, LONGEST, Standing};

const REQUESTS: &str = "ironside_audit_requests_total";

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

fn says(answer: &str, header: &str) -> bool {
    let head = answer.split("\r\n\r\n").next().unwrap().to_lowercase();
    head.contains(&header.to_lowercase())
}

#[tokio::test]
async fn an_answer_of_200_means_that_everything_was_judged() {
    let mut sink = Running::start("judged").await;
    let client = sink.client();
    let mut answer = tokio::spawn(async move { client.post(&list(0..3)).await.unwrap() });
    let delivery = sink.deliveries.recv().await.unwrap();
    assert_eq!(delivery.batch.events.len(), 3);
    assert!(
        tokio::time::timeout(Duration::from_millis(100), &mut answer)
            .await
            .is_err(),
        "not before"
    );
    delivery.judged.send(()).unwrap();
    assert_eq!(status(&answer.await.unwrap()), 200);

    // Given up instead: the API server has to send it again.
    let client = sink.client();
    let answer = tokio::spawn(async move { client.post(&list(0..3)).await.unwrap() });
    drop(sink.deliveries.recv().await.unwrap());
    let answer = answer.await.unwrap();
    assert_eq!(status(&answer), 503);
    assert!(says(&answer, "retry-after: 1"), "{answer}");
    assert_eq!(
        (sink.count(REQUESTS, "accepted"), sink.count(REQUESTS, "stopping")),
        (1, 1)
    );
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_and_said() {
    let mut sink = Running::start("malformed").await;
    let client = sink.client();
    for body in ["", "{", "null", "{\"kind\":\"EventList\"}", "\u{0}\u{1}"] {
        let answer = client.post(body).await.unwrap();
        assert_eq!(status(&answer), 400, "{body}: {answer}");
    }
    assert_eq!(sink.count(REQUESTS, "malformed"), 5);
    let post = "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n";
    let answer = client
        .raw(&format!("{post}Content-Length: {}\r\n\r\n", LONGEST + 1))
        .await
        .unwrap();
    assert_eq!(status(&answer), 413);
    assert!(answer.contains("--audit-webhook-truncate-enabled"), "{answer}");
    let answer = client
        .raw(&format!("{post}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"))
        .await
        .unwrap();
    assert_eq!(status(&answer), 411);
    let answer = client
        .raw("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(status(&answer), 405);
    assert!(sink.deliveries.try_recv().is_err());

    // One bad event among good ones.
    let mixed = list(0..2).replace("\"auditID\":\"1\"", "\"auditID\":1");
    let answer = tokio::spawn(async move { client.post(&mixed).await.unwrap() });
    let delivery = sink.deliveries.recv().await.unwrap();
    assert_eq!((delivery.batch.events.len(), delivery.batch.malformed), (1, 1));
    delivery.judged.send(()).unwrap();
    assert_eq!(status(&answer.await.unwrap()), 200);
}

#[tokio::test]
async fn a_replica_that_does_not_lead_or_knows_no_policy_sends_the_api_server_elsewhere() {
    let mut sink = Running::start("follower").await;
    for (standing, outcome) in [(Standing::NotLeading, "not_leading"), (Standing::NotReady, "not_ready")] {
        *sink.standing.lock() = standing;
        let answer = sink.client().post(&list(0..1)).await.unwrap();
        assert_eq!(status(&answer), 503);
        assert!(
            says(&answer, "retry-after: 1") && says(&answer, "connection: close"),
            "{answer}"
        );
        assert_eq!(sink.count(REQUESTS, outcome), 1);
    }
    assert!(sink.deliveries.try_recv().is_err());
}

#[tokio::test]
async fn a_connection_on_which_nothing_comes_is_given_up() {
    let sink = Running::with_idle("idle", Duration::from_millis(200)).await;
    let mut silent = sink.client().connect().await.unwrap();
    let mut answer = Vec::new();
    let given_up = silent.read_to_end(&mut answer);
    // Closed without a goodbye, or with one: what counts is that it is closed.
    let _ = tokio::time::timeout(Duration::from_secs(20), given_up)
        .await
        .expect("given up");
    assert!(answer.is_empty());
}

#[tokio::test]
async fn more_than_fits_is_refused_and_comes_again_and_nothing_that_was_accepted_is_lost() {
    const SENT: usize = 4 * BATCHES;
    let mut sink = Running::start("full").await;
    let client = sink.client();
    let mut sending = JoinSet::new();
    for number in 0..SENT {
        let client = client.clone();
        sending.spawn(async move {
            let mut refused = 0;
            loop {
                let answer = client.post(&list([number])).await.unwrap();
                match status(&answer) {
                    200 => return refused,
                    429 => assert!(says(&answer, "retry-after: 1"), "{answer}"),
                    other => panic!("{other}: {answer}"),
                }
                refused += 1;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
    }
    // Nobody judges until the queue is full.
    while sink.count(REQUESTS, "busy") == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut judged = Vec::new();
    while judged.len() < SENT {
        let delivery = sink.deliveries.recv().await.unwrap();
        judged.extend(delivery.batch.events.into_iter().map(|event| event.id));
        delivery.judged.send(()).unwrap();
    }
    let refused: usize = sending.join_all().await.into_iter().sum();
    assert!(refused > 0);
    judged.sort_by_key(|id| id.parse::<usize>().unwrap());
    let expected: Vec<String> = (0..SENT).map(|number| number.to_string()).collect();
    assert_eq!(judged, expected, "each once");
    assert_eq!(sink.count(REQUESTS, "accepted"), u64::try_from(SENT).unwrap());
    assert_eq!(sink.count(REQUESTS, "busy"), u64::try_from(refused).unwrap());
}

#[tokio::test]
async fn bodies_that_are_announced_take_room_until_they_are_given_up() {
    let sink = Running::start("room").await;
    let client = sink.client();
    let mut open = Vec::new();
    for _ in 0..2 {
        let mut stream = client.connect().await.unwrap();
        let head = format!("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {LONGEST}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        open.push(stream);
    }
    // Both were read once there is no room for a third.
    let refused = async {
        loop {
            let answer = client.post("{").await.unwrap();
            if status(&answer) == 429 {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), refused).await.unwrap();
    drop(open);
    let room = async {
        while status(&client.post("{").await.unwrap()) != 400 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), room).await.unwrap();
    assert_eq!(sink.count(REQUESTS, "broken"), 2);
}

#[tokio::test]
async fn a_sink_that_stops_finishes_what_it_has_begun_and_takes_no_more() {
    let mut sink = Running::start("stopping").await;
    let client = sink.client();
    let sender = client.clone();
    let answer = tokio::spawn(async move { sender.post(&list(0..5)).await.unwrap() });
    let delivery = sink.deliveries.recv().await.unwrap();
    sink.stop.cancel();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!sink.serving.is_finished(), "somebody waits for an answer");
    delivery.judged.send(()).unwrap();
    assert_eq!(status(&answer.await.unwrap()), 200);
    tokio::time::timeout(Duration::from_secs(10), sink.serving)
        .await
        .unwrap()
        .unwrap();
    assert!(sink.deliveries.recv().await.is_none(), "the judging ends, too");
    assert!(client.post(&list(0..1)).await.is_err());
}
