//! A private Qdrant: the real server where there is one, else its engine behind the same gRPC API (`local/qdrant`).

use std::io;
use std::ops::{Deref, DerefMut};
use std::path::Path;

use super::{Private, ServerError, private};
use crate::health::Health;
use crate::launch::Launch;
use crate::port::free_port;
use crate::{Installation, QdrantProgram};

const NAME: &str = "qdrant";

/// A private Qdrant, a [`Private`] server; its URI is that of the gRPC port.
#[derive(Debug)]
pub struct Qdrant(Private);

impl Qdrant {
    /// Answers over gRPC when this returns.
    pub async fn start(installation: &Installation) -> Result<Self, ServerError> {
        let port = free_port();
        let folder = private::folder(NAME)?;
        let launch = launch(&installation.qdrant, folder.path(), port, free_port())
            .map_err(|error| ServerError::Launch { name: NAME, error })?;
        let uri = format!("http://127.0.0.1:{port}");
        let health = Health::Qdrant { uri: uri.clone(), port };
        let mut server = Private::new(NAME, port, uri, folder, launch, health);
        server.restart().await?;
        Ok(Self(server))
    }
}

impl Deref for Qdrant {
    type Target = Private;

    fn deref(&self) -> &Private {
        &self.0
    }
}

impl AsRef<Private> for Qdrant {
    fn as_ref(&self) -> &Private {
        &self.0
    }
}

impl DerefMut for Qdrant {
    fn deref_mut(&mut self) -> &mut Private {
        &mut self.0
    }
}

/// One health check over gRPC.
pub(crate) async fn grpc_health(uri: &str) -> Result<(), String> {
    let client =
        qdrant_client::Qdrant::from_url(uri).skip_compatibility_check().build().map_err(|error| error.to_string())?;
    client.health_check().await.map(|_| ()).map_err(|error| error.to_string())
}

/// Creates the folder of the data and says how to run Qdrant on it. Only the real server uses the HTTP port.
pub(crate) fn launch(program: &QdrantProgram, folder: &Path, grpc: u16, http: u16) -> io::Result<Launch> {
    let data = folder.join("data");
    std::fs::create_dir_all(&data)?;
    Ok(match program {
        QdrantProgram::Native(program) => Launch::new(program, folder)
            .env("QDRANT__SERVICE__HOST", "127.0.0.1")
            .env("QDRANT__SERVICE__GRPC_PORT", grpc)
            .env("QDRANT__SERVICE__HTTP_PORT", http)
            .env("QDRANT__STORAGE__STORAGE_PATH", data.display())
            .env("QDRANT__STORAGE__SNAPSHOTS_PATH", folder.join("snapshots").display())
            .env("QDRANT__TELEMETRY_DISABLED", true),
        QdrantProgram::Edge { python, python_path, program } => Launch::new(python, folder)
            .env("PYTHONPATH", python_path.display())
            .env("PYTHONDONTWRITEBYTECODE", 1)
            .env("PYTHONUNBUFFERED", 1)
            .arg(program.display())
            .arg("--data")
            .arg(data.display())
            .arg("--listen")
            .arg(format!("127.0.0.1:{grpc}")),
    })
}
