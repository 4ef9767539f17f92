//! A token of the account that kubelets see. It lives for minutes and is never the operator's own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::PostParams;
use kube::{Api, Client};

use super::ask::Refusal;

/// The shortest life that the API server gives a token.
const LIFE: Duration = Duration::from_mins(10);

/// A token is used for so long, which leaves time for the requests that carry it.
const USED_FOR: Duration = Duration::from_mins(8);

/// Time for the API server to answer.
const ANSWER: Duration = Duration::from_secs(10);

/// Somebody else's token, made when it is needed.
pub(super) struct Account {
    api: Api<ServiceAccount>,
    name: String,
    token: Option<(Instant, Arc<str>)>,
}

impl Account {
    pub(super) fn new(client: Client, namespace: &str, name: String) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            name,
            token: None,
        }
    }

    /// A token that is good for the next requests.
    pub(super) async fn token(&mut self) -> Result<Arc<str>, Refusal> {
        if let Some((made, token)) = &self.token
            && made.elapsed() < USED_FOR
        {
            return Ok(Arc::clone(token));
        }
        self.token = None;
        let request = TokenRequest {
            spec: Some(TokenRequestSpec {
                expiration_seconds: i64::try_from(LIFE.as_secs()).ok(),
                ..TokenRequestSpec::default()
            }),
            ..TokenRequest::default()
        };
        let (made, parameters) = (Instant::now(), PostParams::default());
        let answer = self.api.create_token_request(&self.name, &parameters, &request);
        let answer = match tokio::time::timeout(ANSWER, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(kube::Error::Api(status))) => return Err(Refusal::NoToken(status.reason.clone())),
            Ok(Err(_)) | Err(_) => return Err(Refusal::NoToken("the API server does not answer".to_owned())),
        };
        let token = answer.status.and_then(|status| status.token).unwrap_or_default();
        if token.is_empty() {
            return Err(Refusal::NoToken("the API server gave none".to_owned()));
        }
        let token: Arc<str> = token.into();
        self.token = Some((made, Arc::clone(&token)));
        Ok(token)
    }
}
