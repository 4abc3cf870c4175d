"""The responder's answers, in virtual time."""

from test_mdns_messages import (
    AAAA,
    ADDRESS,
    ADDRESS_6,
    ANY,
    HOST,
    IN,
    INSTANCE,
    NSEC,
    PTR,
    QUERY,
    RESPONSE,
    SERVICES,
    SRV,
    STRINGS,
    TOP,
    TRUNCATED,
    TXT,
    TXT_RDATA,
    TYPE,
    A,
    kinds,
    message,
    name,
    no_random,
    node,
    ours,
    question,
    read,
    record,
    srv,
)

from mdns.responder import Responder

PORT = 5353
PEER = b"peer"


def announced(now=0, random=no_random, **other):
    """A responder that announced itself twice, the last time at now + 1750."""
    responder = Responder(node(**other), now, random)
    for _ in range(5):
        responder.tick(responder.deadline())
    responder.take()
    assert responder.is_announced and responder.deadline() is None
    return responder


def ask(responder, now, *questions, **other):
    """Hand over a query and return what is sent at once."""
    packet = message(other.get("flags", QUERY), questions, other.get("known", ()))
    responder.received(memoryview(packet), other.get("source", PEER), other.get("port", PORT), now)
    return responder.take()


def test_a_query_for_the_service_is_answered_after_20_to_120_ms():
    responder = announced()
    assert ask(responder, 10_000, question(TYPE, PTR)) == []
    assert responder.deadline() == 10_020
    responder.tick(10_019)
    assert responder.take() == []
    responder.tick(10_020)
    ((packet, destination),) = responder.take()
    assert destination is None
    assert packet == (
        b"\0\0\x84\0\0\0\0\1\0\0\0\3"
        b"\x05_ship\x04_tcp\x05local\0\0\x0c\0\1\0\0\0\x78\0\x09\x06EVSE 1\xc0\x0c"
        b"\xc0\x28\0\x21\x80\1\0\0\0\x78\0\x0f\0\0\0\0\x12\x68\x06evse-1\xc0\x17"
        b"\xc0\x28\0\x10\x80\1\0\0\0\x78\0\x16\x09txtvers=1\x0bpath=/ship/"
        b"\xc0\x43\0\1\x80\1\0\0\0\x78\0\4\x0a\0\0\x05"
    )
    responder = announced(random=lambda count: b"\0\x64")
    ask(responder, 10_000, question(TYPE, PTR))
    assert responder.deadline() == 10_120


def test_a_question_that_only_we_can_answer_is_answered_at_once():
    for kind, answer, additional in (
        (SRV, [SRV], [A]),
        (TXT, [TXT], []),
        (ANY, [SRV, TXT], [A]),
    ):
        ((packet, destination),) = ask(announced(), 10_000, question(INSTANCE, kind))
        assert destination is None
        assert kinds(packet) == (answer, additional)
    ((packet, _),) = ask(announced(), 10_000, question(HOST, A))
    assert kinds(packet) == ([A], [NSEC])
    _, _, sections = read(packet)
    assert sections[1] == [(HOST, A, IN | TOP, 120, ADDRESS)]
    # next name (compressed: the owner), window 0, one octet, type 1
    assert sections[3] == [(HOST, NSEC, IN | TOP, 120, b"\xc0\x0c\0\1\x40")]


def test_names_are_answered_in_any_case():
    ((packet, _),) = ask(announced(), 10_000, question("evse 1._SHIP._Tcp.LOCAL", SRV))
    assert kinds(packet) == ([SRV], [A])


def test_both_families_of_addresses_are_answered():
    responder = announced(addresses=[ADDRESS, ADDRESS_6])
    ((packet, _),) = ask(responder, 10_000, question(HOST, AAAA))
    assert kinds(packet) == ([AAAA], [A])
    _, _, sections = read(packet)
    assert sections[1][0][4] == ADDRESS_6
    ((packet, _),) = ask(responder, 20_000, question(HOST, ANY))
    assert kinds(packet) == ([A, AAAA], [])


def test_types_that_we_do_not_have_are_denied_by_nsec():
    ((packet, _),) = ask(announced(), 10_000, question(HOST, AAAA))
    assert kinds(packet) == ([NSEC], [])
    ((packet, _),) = ask(announced(), 10_000, question(INSTANCE, A))
    _, _, sections = read(packet)
    assert sections[1] == [
        (INSTANCE, NSEC, IN | TOP, 120, b"\xc0\x0c\0\5\0\0\x80\0\x40"),
    ]
    # Others may have such records of a shared name
    assert ask(announced(), 10_000, question(TYPE, TXT)) == []


def test_the_list_of_service_types_is_answered():
    responder = announced()
    assert ask(responder, 10_000, question(SERVICES, PTR)) == []
    responder.tick(10_020)
    ((packet, _),) = responder.take()
    _, _, sections = read(packet)
    assert sections[1] == [(SERVICES, PTR, IN, 120, TYPE)]
    assert sections[3] == []


def test_foreign_names_classes_and_types_are_not_answered():
    responder = announced()
    for entry in (
        question("_http._tcp.local", PTR),
        question("EVSE 2._ship._tcp.local", SRV),
        question("evse-1.example", A),
        question(HOST, A, 3),
    ):
        assert ask(responder, 10_000, entry) == []
        assert responder.deadline() is None


def test_known_answers_are_not_repeated():
    responder = announced()
    for ttl_s, is_answered in ((120, False), (60, False), (59, True)):
        known = [record(TYPE, PTR, name("evse 1." + TYPE), ttl_s)]
        ask(responder, 10_000, question(TYPE, PTR), known=known)
        assert (responder.deadline() is not None) == is_answered
    responder = announced()
    known = [record(INSTANCE, SRV, srv("EVSE-1.local"))]
    assert ask(responder, 20_000, question(INSTANCE, SRV), known=known) == []
    unicast = question(INSTANCE, SRV, IN | TOP)
    assert ask(responder, 20_000, unicast, known=known) == []
    assert responder.deadline() is None
    known = [record(INSTANCE, SRV, srv(port=4713))]
    assert len(ask(responder, 20_000, question(INSTANCE, SRV), known=known)) == 1


def test_a_record_is_multicast_at_most_once_per_second():
    responder = announced()
    assert len(ask(responder, 10_000, question(HOST, A))) == 1
    assert ask(responder, 10_300, question(HOST, A)) == []
    assert ask(responder, 10_600, question(HOST, A)) == []
    assert responder.deadline() == 11_000
    responder.tick(11_000)
    assert len(responder.take()) == 1
    assert responder.deadline() is None


def test_additional_records_keep_to_the_rate_limit_too():
    responder = announced()
    ask(responder, 10_000, question(INSTANCE, TXT))
    ask(responder, 10_000, question(TYPE, PTR))
    responder.tick(10_020)
    ((packet, _),) = responder.take()
    assert kinds(packet) == ([PTR], [SRV, A])


def test_several_questions_are_answered_in_one_packet_after_a_delay():
    responder = announced()
    assert ask(responder, 10_000, question(HOST, A), question(INSTANCE, SRV)) == []
    assert responder.deadline() == 10_020
    responder.tick(10_020)
    ((packet, _),) = responder.take()
    assert kinds(packet) == ([SRV, A], [])


def test_questions_of_several_peers_are_answered_once():
    responder = announced()
    ask(responder, 10_000, question(TYPE, PTR), source=b"one")
    ask(responder, 10_010, question(TYPE, PTR), source=b"two")
    assert responder.deadline() == 10_020
    responder.tick(10_030)
    assert len(responder.take()) == 1
    assert responder.deadline() is None


def test_a_truncated_query_waits_for_the_rest_of_the_known_answers():
    ptr = record(TYPE, PTR, name(INSTANCE))
    responder = announced()
    ask(responder, 10_000, question(TYPE, PTR), flags=TRUNCATED)
    assert responder.deadline() == 10_400
    ask(responder, 10_010, known=[record("x.local", A, ADDRESS)])
    assert responder.deadline() == 10_400
    ask(responder, 10_020, known=[ptr])
    assert responder.deadline() is None

    # The answer is not for this peer alone
    ask(responder, 20_000, question(TYPE, PTR), flags=TRUNCATED)
    ask(responder, 20_010, question(TYPE, PTR), source=b"other")
    assert responder.deadline() == 20_030
    ask(responder, 20_020, known=[ptr])
    assert responder.deadline() == 20_030

    # ... or another peer knows it
    responder = announced()
    ask(responder, 10_000, question(TYPE, PTR), flags=TRUNCATED)
    ask(responder, 10_010, known=[ptr], source=b"other")
    assert responder.deadline() == 10_400


def test_a_unicast_answer_is_given_if_the_record_was_multicast_lately():
    responder = announced()  # at 1750
    assert ask(responder, 5_000, question(TYPE, PTR, IN | TOP)) == []
    assert responder.deadline() == 5_020
    responder.tick(5_020)
    ((packet, destination),) = responder.take()
    assert destination == PEER
    assert kinds(packet) == ([PTR], [SRV, TXT, A])
    _, _, sections = read(packet)
    assert sections[3][0][2] == IN | TOP
    ((packet, destination),) = ask(responder, 6_000, question(HOST, A, IN | TOP))
    assert destination == PEER


def test_an_answer_that_all_caches_are_waiting_for_is_multicast():
    responder = announced()
    ((_, destination),) = ask(responder, 31_751, question(HOST, A, IN | TOP))
    assert destination is None
    # The next one again is not
    ((_, destination),) = ask(responder, 31_752, question(HOST, A, IN | TOP))
    assert destination == PEER


def test_a_sender_off_the_link_gets_no_unicast_answer():
    responder = announced()
    ((_, destination),) = ask(responder, 5_000, question(HOST, A, IN | TOP), source=None)
    assert destination is None
    assert ask(responder, 6_000, question(HOST, A), source=None, port=40_000) == []


def test_waiting_unicast_answers_are_bounded_and_the_rest_is_multicast():
    responder = announced()
    for i in range(4):
        ask(responder, 5_000, question(TYPE, PTR, IN | TOP), source=i)
    ask(responder, 5_000, question(TYPE, PTR, IN | TOP), source=4)
    responder.tick(5_020)
    assert [destination for _, destination in responder.take()] == [0, 1, 2, 3, None]


def test_a_legacy_resolver_gets_its_id_and_question_back():
    packet = message(QUERY, [question(INSTANCE, SRV)], packet_id=0xBEEF)
    responder = announced()
    responder.received(memoryview(packet), PEER, 40_000, 5_000)
    ((answer, destination),) = responder.take()
    assert destination == PEER
    assert answer == (
        b"\xbe\xef\x84\0\0\1\0\1\0\0\0\1"
        b"\x06EVSE 1\x05_ship\x04_tcp\x05local\0\0\x21\0\1"
        b"\x06EVSE 1\x05_ship\x04_tcp\x05local\0\0\x21\0\1\0\0\0\x0a\0\x14"
        b"\0\0\0\0\x12\x68\x06evse-1\x05local\0"
        b"\x06evse-1\xc0\x3b\0\1\0\1\0\0\0\x0a\0\4\x0a\0\0\x05"
    )
    assert responder.deadline() is None


def test_compressed_legacy_questions_are_repeated_as_they_are():
    packet = message(QUERY, [question(HOST, A)])
    packet = packet[:5] + b"\2" + packet[6:] + b"\xc0\x0c\0\x1c\0\1"
    responder = announced()
    responder.received(memoryview(packet), PEER, 40_000, 5_000)
    ((answer, _),) = responder.take()
    _, _, sections = read(answer)
    assert sections[0] == [(HOST, A, IN), (HOST, AAAA, IN)]
    assert [entry[1:4] for entry in sections[1]] == [(NSEC, IN, 10), (A, IN, 10)]


def test_legacy_answers_have_a_rate_and_their_questions_a_size():
    responder = announced()
    answers = 0
    for _ in range(20):
        answers += len(ask(responder, 5_000, question(HOST, A), port=40_000))
    assert answers == 10
    assert len(ask(responder, 6_000, question(HOST, A), port=40_000)) == 1
    fillers = [question("x" * 63 + ".local", A) for _ in range(7)]
    assert len(ask(responder, 7_000, question(HOST, A), *fillers[:6], port=40_000)) == 1
    assert ask(responder, 7_000, question(HOST, A), *fillers, port=40_000) == []


def test_packets_waiting_to_be_taken_are_bounded():
    responder = announced()
    for i in range(10):
        packet = message(QUERY, [question(HOST, A)])
        responder.received(packet, i, 40_000, 5_000)
    assert [destination for _, destination in responder.take()] == [2, 3, 4, 5, 6, 7, 8, 9]


def test_an_answer_that_another_node_gave_is_not_repeated():
    responder = announced()
    ask(responder, 10_000, question(SERVICES, PTR))
    theirs = message(RESPONSE, [], [record(SERVICES, PTR, name(TYPE), 4_500)])
    responder.received(theirs, PEER, PORT, 10_010)
    assert responder.deadline() is None


def test_a_record_that_somebody_lets_expire_is_rescued():
    responder = announced()
    for i, entry in enumerate(ours(0)):
        responder.received(message(RESPONSE, [], [entry]), PEER, PORT, 10_000 + 2_000 * i)
        assert len(responder.take()) == 1, i
    responder.received(message(RESPONSE, [], ours(59)), PEER, PORT, 20_000)
    ((packet, _),) = responder.take()
    assert kinds(packet) == ([PTR, SRV, TXT, A], [])
    responder.received(message(RESPONSE, [], ours(60)), PEER, PORT, 30_000)
    assert responder.take() == []


def test_changed_strings_are_announced_twice():
    responder = announced()
    responder.set_txt([b"txtvers=1", b"register=true"], 10_000)
    for when in (10_000, 11_000):
        responder.tick(when - 1)
        assert when == 10_000 or responder.take() == []
        responder.tick(when)
        ((packet, destination),) = responder.take()
        assert destination is None
        _, flags, sections = read(packet)
        assert flags == RESPONSE
        rdata = b"\x09txtvers=1\x0dregister=true"
        assert sections[1] == [(INSTANCE, TXT, IN | TOP, 120, rdata)]
    assert responder.deadline() is None


def test_a_change_right_after_a_change_is_not_held_back():
    responder = announced()
    responder.set_txt([b"register=true"], 10_000)
    responder.set_txt([b"register=false"], 10_100)
    packets = responder.take()
    assert len(packets) == 2
    assert read(packets[1][0])[2][1][0][4] == b"\x0eregister=false"
    responder.tick(11_000)
    responder.tick(11_100)
    ((packet, _),) = responder.take()
    assert read(packet)[2][1][0][4] == b"\x0eregister=false"


def test_the_same_strings_again_are_no_change():
    responder = announced()
    responder.set_txt(STRINGS, 10_000)
    assert responder.take() == [] and responder.deadline() is None


def test_strings_that_do_not_fit_change_nothing():
    responder = announced()
    try:
        responder.set_txt([b"x" * 200, b"y" * 200], 10_000)
    except ValueError:
        pass
    else:
        assert False
    ((packet, _),) = ask(responder, 20_000, question(INSTANCE, TXT))
    assert read(packet)[2][1][0][4] == TXT_RDATA


def test_goodbye_withdraws_all_that_is_ours_alone():
    responder = announced()
    responder.goodbye(10_000)
    ((packet, destination),) = responder.take()
    assert destination is None
    assert packet == (
        b"\0\0\x84\0\0\0\0\4\0\0\0\0"
        b"\x05_ship\x04_tcp\x05local\0\0\x0c\0\1\0\0\0\0\0\x09\x06EVSE 1\xc0\x0c"
        b"\xc0\x28\0\x21\x80\1\0\0\0\0\0\x0f\0\0\0\0\x12\x68\x06evse-1\xc0\x17"
        b"\xc0\x28\0\x10\x80\1\0\0\0\0\0\x16\x09txtvers=1\x0bpath=/ship/"
        b"\xc0\x43\0\1\x80\1\0\0\0\0\0\4\x0a\0\0\x05"
    )


def test_after_goodbye_there_is_silence():
    responder = announced()
    ask(responder, 9_990, question(TYPE, PTR))
    responder.goodbye(10_000)
    responder.take()
    assert not responder.is_announced and responder.deadline() is None
    assert ask(responder, 20_000, question(HOST, A)) == []
    responder.set_txt([b"a=b"], 20_000)
    responder.set_addresses([b"\x0a\0\0\x06"], 20_000)
    responder.goodbye(20_000)
    responder.tick(30_000)
    assert responder.take() == [] and responder.deadline() is None


def test_a_name_that_was_never_ours_is_not_withdrawn():
    responder = Responder(node(), 0, no_random)
    responder.tick(0)
    responder.goodbye(100)
    assert responder.take() == []


def test_malformed_packets_are_counted_and_ignored():
    responder = announced()
    packet = message(QUERY, [question(INSTANCE, SRV)], ours())
    for length in range(len(packet)):
        responder.received(memoryview(packet)[:length], PEER, PORT, 10_000)
    assert responder.malformed == len(packet)
    assert responder.take() == [] and responder.is_announced


def test_responses_from_other_ports_are_ignored():
    responder = announced()
    theirs = [record(INSTANCE, SRV, srv("other.local"), 120, IN | TOP)]
    responder.received(message(RESPONSE, [], theirs), PEER, 40_000, 10_000)
    assert responder.is_announced
