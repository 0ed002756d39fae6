//! Why plugins do not serve.

use wasmill_engine::LoadError;

/// Plugins that do not serve: causes that can be counted, and what is told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Refusal {
    /// One for each plugin, each one of a few words: [`wasmill_engine::Reason::cause`], or one of the constants.
    pub causes: Vec<&'static str>,
    /// A sentence for each, with file, digest and reason, where there are such.
    pub text: String,
}

impl Refusal {
    /// A file cannot be read, or the host failed at it.
    pub const UNREADABLE: &'static str = "unreadable";
    /// A YAML file beside a plugin is wrong.
    pub const SETTINGS: &'static str = "settings";
    /// A plugin that is required is not there.
    pub const REQUIRED: &'static str = "required";
    /// Two plugins would keep one state, or what is kept does not suit a plugin.
    pub const STATE: &'static str = "state";
    /// What sinks or look-ups ask for does not suit them.
    pub const BINDING: &'static str = "binding";
    /// Home cannot take them in.
    pub const HOME: &'static str = "home";
    /// The directory changed before they could serve.
    pub const SUPERSEDED: &'static str = "superseded";

    /// For `cause`, which is one of the constants.
    pub fn new(cause: &'static str, text: impl Into<String>) -> Self {
        Self { causes: vec![cause], text: text.into() }
    }

    /// This one and, where there is one, another before it.
    pub fn after(self, first: Option<Self>) -> Self {
        match first {
            None => self,
            Some(Self { causes, text }) => {
                Self { causes: [causes, self.causes].concat(), text: format!("{text}; {}", self.text) }
            }
        }
    }
}

impl From<LoadError> for Refusal {
    fn from(error: LoadError) -> Self {
        Self::new(error.reason.cause(), error.to_string())
    }
}

impl From<Refusal> for String {
    fn from(refusal: Refusal) -> Self {
        refusal.text
    }
}
