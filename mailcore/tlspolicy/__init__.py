"""What mail hosts demand of TLS, and whether they got it: MTA-STS, DANE, REQUIRETLS, and reports. (pure)"""
