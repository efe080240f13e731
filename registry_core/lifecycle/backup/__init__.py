"""Backup and restore of a registry, rows and bytes (`docs/backup.md`)."""
