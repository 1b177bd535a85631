//! Why a body cannot be parsed.

/// Why a body is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// The body is not in the format of the source.
    #[error("{reason}; {remedy}")]
    Malformed {
        /// What is wrong, with its position.
        reason: String,
        /// What the sender can do.
        remedy: &'static str,
    },
    /// A field is missing.
    #[error("{field} is missing; {remedy}")]
    Missing {
        /// Path of the field, such as `alerts[3].labels`.
        field: String,
        /// What the sender can do.
        remedy: String,
    },
    /// A field holds what it cannot hold.
    #[error("{field} {reason}; {remedy}")]
    Invalid {
        /// Path of the field, such as `alerts[3].labels`.
        field: String,
        /// What is wrong with it.
        reason: String,
        /// What the sender can do.
        remedy: String,
    },
}

impl SourceError {
    /// Path of the field that is wrong, if it is one field.
    pub fn field(&self) -> Option<&str> {
        match self {
            SourceError::Malformed { .. } => None,
            SourceError::Missing { field, .. } | SourceError::Invalid { field, .. } => Some(field),
        }
    }
}
