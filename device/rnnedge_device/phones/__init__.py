"""The page on phones in the same network: a certificate, a server for the site's files, a code to point a phone at."""
