//! Reads the parts of a form with files.

use std::time::Duration;

use axum::extract::multipart::{Multipart, MultipartError};
use web::Problem;

const MAX_CSRF_BYTES: usize = 1024;
/// How long the rest of a refused form is read.
const REST_TIME: Duration = Duration::from_secs(5);

/// Reads what is left of a refused form, and throws it away. A browser that is still sending would not read the answer.
pub(crate) async fn read_rest(form: &mut Multipart) {
    let rest = async {
        while let Ok(Some(mut field)) = form.next_field().await {
            while let Ok(Some(_)) = field.chunk().await {}
        }
    };
    // Where it takes longer, the browser says that the connection was closed.
    let _in_time = tokio::time::timeout(REST_TIME, rest).await.is_ok();
}

/// The text of the next field, which is short and has this name. It is empty where another field comes.
pub(crate) async fn first_field(form: &mut Multipart, name: &str) -> Result<String, Problem> {
    let field = form.next_field().await.map_err(|error| broken("", &error))?;
    let Some(mut field) = field.filter(|field| field.name() == Some(name)) else {
        return Ok(String::new());
    };
    let mut bytes = Vec::new();
    while let Some(chunk) = field.chunk().await.map_err(|error| broken("", &error))? {
        if bytes.len() + chunk.len() > MAX_CSRF_BYTES {
            return Ok(String::new());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

pub(crate) fn broken(name: &str, error: &MultipartError) -> Problem {
    let problem = web::broke_off(error);
    Problem::field(name, problem.detail).status(problem.status)
}
