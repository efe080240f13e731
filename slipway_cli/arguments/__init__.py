"""What commands on storage take: apart from what they do, which is slow to import."""
