//! Kinds that several controls look at.

/// The kinds of workloads that manifests hold, with others before and behind, as [`super::Check::Object`] takes them: first what a control is about.
macro_rules! workloads_and {
    ($($before:expr),* $(; $($behind:expr),*)?) => {
        &[
            $($before,)*
            $crate::model::Kind::Pod,
            $crate::model::Kind::Deployment,
            $crate::model::Kind::ReplicaSet,
            $crate::model::Kind::StatefulSet,
            $crate::model::Kind::DaemonSet,
            $crate::model::Kind::Job,
            $crate::model::Kind::CronJob,
            $crate::model::Kind::ReplicationController,
            $($($behind,)*)?
        ]
    };
}
