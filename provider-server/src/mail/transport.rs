//! The way to the SMTP server: a connection for each mail, bounded in time.

use std::{error::Error as _, time::Duration};

use lettre::{
    AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor,
    address::Envelope,
    message::header::{ContentType, MIME_VERSION_1_0},
    transport::smtp::{
        self,
        client::{self, Certificate, CertificateStore, TlsParameters},
        extension::ClientId,
    },
};

use super::settings::{MailSettings, Tls};
use crate::{exit::Failure, model::digest::Words};

/// A command that is not answered in this time failed.
const COMMAND: Duration = Duration::from_secs(15);
/// A whole mail.
const MAIL: Duration = Duration::from_secs(45);
const MAX_WORDS: usize = 300;

/// Why a mail was not taken.
#[derive(Debug, PartialEq, Eq)]
pub enum Refused {
    /// The server takes no mail of ours at all, for now.
    Server(String),
    /// The server does not take this mail.
    Mail(String),
}

/// Sends mail. Cheap to clone.
#[derive(Clone)]
pub struct Transport {
    smtp: AsyncSmtpTransport<Tokio1Executor>,
    settings: MailSettings,
}

impl Transport {
    /// Prepares the way; nothing is connected. Fails where the authorities' file is of no use.
    pub fn new(settings: MailSettings) -> Result<Self, Failure> {
        let (host, port) = settings.server.clone();
        let encrypted = match settings.tls {
            Tls::None => client::Tls::None,
            Tls::Wrapped => client::Tls::Wrapper(parameters(&settings)?),
            Tls::StartTls => client::Tls::Required(parameters(&settings)?),
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host).port(port).tls(encrypted);
        builder = builder.hello_name(hello_name()).timeout(Some(COMMAND));
        if let Some(credentials) = settings.credentials.clone() {
            builder = builder.credentials(credentials);
        }
        Ok(Self { smtp: builder.build(), settings })
    }

    /// Sends a mail to all recipients. `id` is the same for the same mail sent again. Answers the recipients that the server
    /// refuses for good, each with its words; the others have the mail then.
    pub async fn send(&self, id: &str, words: Words) -> Result<Vec<String>, Refused> {
        let mut message = Message::builder().from(self.settings.from.clone()).subject(words.subject);
        for to in &self.settings.to {
            message = message.to(to.clone());
        }
        let domain = self.settings.from.email.domain();
        let message = message
            .message_id(Some(format!("<{id}@{domain}>")))
            // Answering machines keep silent.
            .raw_header(auto_submitted())
            .header(MIME_VERSION_1_0)
            .header(ContentType::TEXT_PLAIN)
            .body(words.text.replace('\n', "\r\n"))
            .map_err(|error| Refused::Mail(shortened(error.to_string())))?;
        let mail = message.formatted();
        let handed = self.hand_over(message.envelope(), &mail);
        let late = |_| Err(Refused::Server(format!("it took longer than {} s", MAIL.as_secs())));
        tokio::time::timeout(MAIL, handed).await.unwrap_or_else(late)
    }

    /// To all at once; where one recipient is refused for good, and with it the mail, to each alone.
    async fn hand_over(&self, all: &Envelope, mail: &[u8]) -> Result<Vec<String>, Refused> {
        let Err(error) = self.smtp.send_raw(all, mail).await else { return Ok(Vec::new()) };
        match refused(&error) {
            Refused::Mail(_) if error.is_permanent() && all.to().len() > 1 => {}
            other => return Err(other),
        }
        let mut refusals = Vec::new();
        for to in all.to() {
            let alone = Envelope::new(all.from().cloned(), vec![to.clone()]);
            let alone = alone.map_err(|error| Refused::Mail(shortened(error.to_string())))?;
            if let Err(error) = self.smtp.send_raw(&alone, mail).await {
                match refused(&error) {
                    Refused::Mail(why) if error.is_permanent() => refusals.push(format!("{to}: {why}")),
                    // Those who have it get it again, as the same mail.
                    other => return Err(other),
                }
            }
        }
        if refusals.len() == all.to().len() { Err(Refused::Mail(refusals.swap_remove(0))) } else { Ok(refusals) }
    }

    /// The settings that it was made of.
    pub fn settings(&self) -> &MailSettings {
        &self.settings
    }
}

fn auto_submitted() -> lettre::message::header::HeaderValue {
    let name = lettre::message::header::HeaderName::new_from_ascii_str("Auto-Submitted");
    lettre::message::header::HeaderValue::new(name, "auto-generated".into())
}

fn parameters(settings: &MailSettings) -> Result<TlsParameters, Failure> {
    let mut builder = TlsParameters::builder(settings.server.0.clone());
    if let Some(path) = &settings.ca_file {
        let wrong = |what: String| Failure::config(format!("mail_ca: {}: {what}", path.display()));
        let pem = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
        let text = String::from_utf8_lossy(&pem);
        if !text.contains("-----BEGIN CERTIFICATE-----") {
            return Err(wrong("it holds no certificate in PEM form".into()));
        }
        let certificates = Certificate::from_pem(&pem).map_err(|error| wrong(error.to_string()))?;
        builder = builder.certificate_store(CertificateStore::None).add_root_certificate(certificates);
    }
    builder.build().map_err(|error| Failure::config(format!("mail_ca: the certificates are not usable: {error}")))
}

/// This machine's name, as it greets the server.
fn hello_name() -> ClientId {
    let name = rustix::system::uname();
    match name.nodename().to_str() {
        Ok(name) if !name.is_empty() && name.is_ascii() => ClientId::Domain(name.to_owned()),
        _ => ClientId::default(),
    }
}

fn refused(error: &smtp::Error) -> Refused {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_words = cause.to_string();
        if !words.contains(&cause_words) {
            words = format!("{words}: {cause_words}");
        }
        source = cause.source();
    }
    let words = shortened(words);
    // Of the answers that are about a mail or its recipients, 421 and those of signing in and of encryption are not.
    let about_mail = error.status().is_some_and(|code| {
        let code = u16::from(code);
        ![421, 432, 454, 530, 534, 535, 538].contains(&code)
    });
    if about_mail { Refused::Mail(words) } else { Refused::Server(words) }
}

fn shortened(words: String) -> String {
    words.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_WORDS).collect()
}
