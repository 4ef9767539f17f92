//! Tasks that must not end by themselves.

use tokio::task::JoinSet;

/// A set of named tasks.
#[derive(Debug, Default)]
pub(super) struct Parts(JoinSet<&'static str>);

impl Parts {
    /// Starts a task.
    pub(super) fn start(&mut self, name: &'static str, part: impl Future<Output = ()> + Send + 'static) {
        self.0.spawn(async move {
            part.await;
            name
        });
    }

    /// Waits until one ends, and names it. Never resolves without tasks.
    pub(super) async fn ended(&mut self) -> String {
        match self.0.join_next().await {
            Some(Ok(name)) => name.to_owned(),
            Some(Err(error)) => format!("a part ({error})"),
            None => std::future::pending().await,
        }
    }

    /// Waits until all have ended.
    pub(super) async fn finished(&mut self) {
        while self.0.join_next().await.is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_end() {
        let mut parts = Parts::default();
        parts.start("steady", std::future::pending());
        parts.start("brittle", async { panic!("on purpose") });
        assert!(parts.ended().await.contains("panic"));
    }

    #[tokio::test]
    async fn the_part_that_ended_is_named() {
        let mut parts = Parts::default();
        parts.start("short", async {});
        assert_eq!(parts.ended().await, "short");
        parts.finished().await;
    }
}
