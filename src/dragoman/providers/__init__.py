"""Where calls go and who signs for them. A provider never looks into a body."""
