"""Reports that mail systems send each other about mail: DMARC, TLS and abuse, read and written. (pure)"""
