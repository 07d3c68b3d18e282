"""Many recordings and transcripts: one result file each, resumable, on several processes and machines."""
