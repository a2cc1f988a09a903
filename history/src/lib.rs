//! What happened: operations, histories, their files and formats.
