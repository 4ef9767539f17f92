//! Interim.
use ironside_engine::model::ObjectRef;
use jiff::Timestamp;
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Detection {
    D01,
    D02,
    D03,
    D04,
    D06,
    D07,
    D08,
    D09,
    D10,
    D13,
    D19,
    D20,
    D27,
    D28,
}
/// Sighting.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Sighting {
    pub detection: Detection,
    pub object: String,
    pub regarding: Option<ObjectRef>,
    pub uid: Option<String>,
    pub namespace: String,
    pub user: Option<String>,
    pub source: Option<String>,
    pub manager: Option<String>,
    pub at: Option<Timestamp>,
    pub what: String,
}
/// Takes sightings.
#[derive(Clone, Debug, Default)]
pub struct Detections;
impl Detections {
    /// Takes one.
    pub fn saw(&self, sighting: Sighting) {
        tracing::warn!(?sighting, "seen");
    }
}
