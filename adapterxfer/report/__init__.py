"""From predictions to a report: results, findings, and the files people read."""
