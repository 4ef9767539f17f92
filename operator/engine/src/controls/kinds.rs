//! Kinds that several controls look at.

/// The kinds of workloads that manifests hold, and others, as [`super::Check::Object`] takes them.
macro_rules! workloads_and {
    ($($other:expr),* $(,)?) => {
        &[
            $crate::model::Kind::Pod,
            $crate::model::Kind::Deployment,
            $crate::model::Kind::ReplicaSet,
            $crate::model::Kind::StatefulSet,
            $crate::model::Kind::DaemonSet,
            $crate::model::Kind::Job,
            $crate::model::Kind::CronJob,
            $crate::model::Kind::ReplicationController,
            $($other,)*
        ]
    };
}
