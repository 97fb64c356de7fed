//! Asks the system that held a meeting who was in it. Webhooks name the host at most, and a transcript knows the names
//! of those who spoke.
//!
//! A meeting is worth its transcript without its participants too. So a system that does not say who was there holds up
//! nothing: after some attempts the call says that it is not known.

use std::sync::Arc;

use domain::call::{Call, CallDetails, Role};
use domain::fault::Fault;
use domain::note::Note;
use domain::refusal::Refusal;
use providers::meetings::Attendance;
use queue_topology::{Cx, StageError, Whom};

/// How many attempts of the run may end because the participants could not be asked for.
const ATTEMPTS: i64 = 3;

/// What was found out about who took part. `None` where nobody can be asked, or where the participants are known.
pub(crate) async fn found(
    cx: &Cx,
    attendance: &[Arc<dyn Attendance>],
    call: &Call,
) -> Result<Option<CallDetails>, StageError> {
    let Some(system) = attendance.iter().find(|system| system.source() == call.source) else {
        return Ok(None);
    };
    if call.details.participants.iter().any(|person| person.role != Some(Role::Host)) {
        return Ok(None);
    }
    let asked = {
        let _held = cx.wait_for(Whom::Provider(&system.remote().destination)).await?;
        system.participants(&call.external_id, &call.details).await
    };
    match asked {
        Ok(participants) => Ok(Some(CallDetails { participants, ..CallDetails::default() })),
        Err(refusal) if is_passing(&refusal) && cx.run.attempt < ATTEMPTS => Err(refusal.into()),
        Err(refusal) => {
            tracing::warn!(error = %refusal, code = refusal.code.name(), "the participants are not known");
            let text = format!(
                "Who took part is not known: {} was asked ({}).",
                system.remote().title,
                refusal.code.name()
            );
            let notes = vec![Note::new("participants_not_known", text)];
            Ok(Some(CallDetails { notes, ..CallDetails::default() }))
        }
    }
}

/// Whether the same question can have an answer soon.
fn is_passing(refusal: &Refusal) -> bool {
    match refusal.fault {
        Fault::Transient => true,
        Fault::Throttled(wait) => wait.as_secs() <= 60,
        Fault::Unavailable | Fault::Permanent => false,
    }
}
