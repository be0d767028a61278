"""Reports as well-known reporters shape them, written for these tests, with names that are nobody's."""

import gzip
import io
import zipfile

from mailcore.message import encode

GOOGLE = b"""<?xml version="1.0" encoding="UTF-8" ?>
<feedback>
  <version>1.0</version>
  <report_metadata>
    <org_name>big.example</org_name>
    <email>noreply-dmarc-support@big.example</email>
    <extra_contact_info>https://big.example/dmarc</extra_contact_info>
    <report_id>17263514882071160419</report_id>
    <date_range><begin>1795392000</begin><end>1795478399</end></date_range>
  </report_metadata>
  <policy_published>
    <domain>acme.test</domain><adkim>r</adkim><aspf>r</aspf><p>none</p><sp>none</sp><pct>100</pct>
  </policy_published>
  <record>
    <row>
      <source_ip>192.0.2.10</source_ip><count>12</count>
      <policy_evaluated><disposition>none</disposition><dkim>pass</dkim><spf>pass</spf></policy_evaluated>
    </row>
    <identifiers><header_from>acme.test</header_from></identifiers>
    <auth_results>
      <dkim><domain>acme.test</domain><result>pass</result><selector>s1</selector></dkim>
      <spf><domain>acme.test</domain><result>pass</result></spf>
    </auth_results>
  </record>
  <record>
    <row>
      <source_ip>2001:DB8::0007</source_ip><count>3</count>
      <policy_evaluated>
        <disposition>quarantine</disposition><dkim>fail</dkim><spf>fail</spf>
        <reason><type>local_policy</type><comment>arc=fail</comment></reason>
      </policy_evaluated>
    </row>
    <identifiers><envelope_from>spam.example</envelope_from><header_from>ACME.test</header_from></identifiers>
    <auth_results><spf><domain>spam.example</domain><scope>mfrom</scope><result>softfail</result></spf></auth_results>
  </record>
</feedback>
"""

SUCCESSOR = b"""<?xml version='1.0'?>
<feedback xmlns="urn:ietf:params:xml:ns:dmarc-2.0">
 <version>2.0</version>
 <report_metadata><org_name>small.example</org_name><email>d@small.example</email><report_id>a!b!c</report_id>
  <date_range><begin>1795392000</begin><end>1795478400</end></date_range>
  <generator>mill 1.2</generator></report_metadata>
 <policy_published><domain>acme.test</domain><discovery_method>treewalk</discovery_method><p>reject</p>
  <np>reject</np><testing>n</testing></policy_published>
 <record><row><source_ip>192.0.2.10</source_ip><count>1</count><policy_evaluated>
  <disposition>pass</disposition><dkim>pass</dkim><spf>fail</spf></policy_evaluated></row>
  <identifiers><header_from>acme.test</header_from></identifiers>
  <auth_results><dkim><domain>acme.test</domain><selector>s1</selector><result>pass</result></dkim></auth_results>
 </record>
</feedback>"""

TLS = b"""{"organization-name": "Big Example", "date-range": {"start-datetime": "2026-11-23T00:00:00Z",
"end-datetime": "2026-11-23T23:59:59Z"}, "contact-info": "tls@big.example",
"report-id": "2026-11-23_acme.test",
"policies": [{"policy": {"policy-type": "sts", "policy-string": ["version: STSv1"],
"policy-domain": "acme.test",
"mx-host": ["mx.hostmail.test"]}, "summary": {"total-successful-session-count": 40,
"total-failure-session-count": 5}, "failure-details": [{"result-type": "certificate-expired",
"sending-mta-ip": "192.0.2.3", "receiving-mx-hostname": "mx.hostmail.test", "failed-session-count": 3}]}]}"""

ARF = """From: <feedback@big.example>
To: <{to}>
Subject: FW: Hello
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="b1"

--b1
Content-Type: text/plain

This is an email abuse report.

--b1
Content-Type: message/feedback-report

Feedback-Type: {kind}
User-Agent: SomeGenerator/1.0
Version: 1
Original-Mail-From: <{mail_from}>
Original-Rcpt-To: <{recipient}>
Received-Date: Tue, 24 Nov 2026 14:00:00 +0000
Source-IP: 192.0.2.1
Reported-Domain: acme.test

--b1
Content-Type: message/rfc822

{header}From: alice@acme.test
Subject: Hello

Spam Spam Spam
--b1--
"""


def complaint(
    *, to="feedback@hostmail.test", kind="abuse", mail_from="", recipient="bob@example.org", header=""
):
    text = ARF.format(to=to, kind=kind, mail_from=mail_from, recipient=recipient, header="{header}")
    return text.replace("\n", "\r\n").replace("{header}", header).encode()


def zipped(octets, name="report.xml", method=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.writestr(name, octets)
    return out.getvalue()


def mail(packed, media_type="application/gzip", name="big.example!acme.test!1795392000!1795478399.xml.gz"):
    """A report as it is mailed: words for people, and a file."""
    return (
        b"From: noreply@big.example\r\nSubject: Report Domain: acme.test\r\nMIME-Version: 1.0\r\n"
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
        b"--b\r\nContent-Type: text/plain\r\n\r\nA report.\r\n"
        b"--b\r\nContent-Type: " + media_type.encode() + b"; name=" + name.encode() + b"\r\n"
        b"Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=" + name.encode()
        + b"\r\n\r\n" + encode.base64_body(packed) + b"\r\n--b--\r\n"
    )  # fmt: skip


def gzipped(octets):
    return gzip.compress(octets, mtime=0)
