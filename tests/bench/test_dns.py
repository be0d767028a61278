import dns.message
import dns.rdatatype

from bench.dns import answer


def ask(name: str, kind: str) -> dns.message.Message:
    return dns.message.from_wire(answer(dns.message.make_query(name, kind).to_wire(), "sink.example"))


def test_sends_mail_of_the_sink_to_loopback():
    assert ask("sink.example", "MX").answer[0][0].exchange.to_text() == "mx.sink.example."
    assert ask("mx.sink.example", "A").answer[0][0].address == "127.0.0.1"


def test_knows_no_other_name_and_no_other_type():
    assert ask("north.example", "TXT").rcode() == dns.rcode.NXDOMAIN
    reply = ask("mx.sink.example", "AAAA")
    assert reply.rcode() == dns.rcode.NOERROR
    assert not reply.answer


def test_gives_each_name_below_a_domain_a_host_of_its_own():
    def below(name: str, kind: str) -> dns.message.Message:
        query = dns.message.make_query(name, kind).to_wire()
        return dns.message.from_wire(answer(query, "sink.example", {"dead.example": "127.0.0.9"}))

    assert below("d1.dead.example", "MX").answer[0][0].exchange.to_text() == "mx.d1.dead.example."
    assert below("mx.d1.dead.example", "A").answer[0][0].address == "127.0.0.9"
    assert not below("d1.dead.example", "A").answer
    assert below("dead.example", "MX").rcode() == dns.rcode.NXDOMAIN
