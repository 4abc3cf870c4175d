"""How the responder gets its names, keeps them, and loses them; in virtual time."""

from binascii import unhexlify

from test_mdns_messages import (
    ANY,
    HOST,
    IN,
    INSTANCE,
    PTR,
    QUERY,
    RESPONSE,
    SERVICES,
    SRV,
    TOP,
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
    run,
    srv,
)

from mdns.responder import Responder

PORT = 5353
PEER = b"peer"

# An energy manager's probe for Demo-HEMS: it asks for PTR of the instance, without unicast bit
FOREIGN_PROBE = unhexlify(
    "fe9b000000010000000200001344656d6f2d48454d532d313233343536373839055f73686970045f746370056c6f"
    "63616c00000c00011344656d6f2d48454d532d313233343536373839055f73686970045f746370056c6f63616c00"
    "0021000100000078001000000000126702766d056c6f63616c001344656d6f2d48454d532d313233343536373839"
    "055f73686970045f746370056c6f63616c0000100001000000780006056361743d32"
)


def is_probe(packet):
    return read(packet)[1] == QUERY


def hear(responder, now, answers, flags=RESPONSE):
    responder.received(memoryview(message(flags, [], answers)), PEER, PORT, now)


def rival(responder, now, records):
    """Hand over somebody else's probe."""
    packet = message(QUERY, [question(INSTANCE, ANY, IN | TOP)], [], records)
    responder.received(memoryview(packet), PEER, PORT, now)


def test_three_probes_250_ms_apart_then_two_announcements_a_second_apart():
    responder = Responder(node(), 1_000, no_random)
    sent = run(responder, 60_000)
    assert [now for now, _ in sent] == [1_000, 1_250, 1_500, 1_750, 2_750]
    assert [is_probe(packet) for _, packet in sent] == [True, True, True, False, False]
    assert sent[3][1] == sent[4][1]
    assert responder.deadline() is None


def test_the_first_probe_waits_up_to_250_ms():
    responder = Responder(node(), 1_000, lambda count: b"\0\xfa")
    assert responder.deadline() == 1_250


def test_a_probe_asks_for_both_names_and_lists_what_we_want_to_say():
    responder = Responder(node(), 0, no_random)
    responder.tick(0)
    ((packet, destination),) = responder.take()
    assert destination is None
    assert packet == (
        b"\0\0\0\0\0\2\0\0\0\3\0\0"
        b"\x06EVSE 1\x05_ship\x04_tcp\x05local\0\0\xff\x80\1"
        b"\x06evse-1\xc0\x1e\0\xff\x80\1"
        b"\xc0\x0c\0\x21\0\1\0\0\0\x78\0\x08\0\0\0\0\x12\x68\xc0\x29"
        b"\xc0\x0c\0\x10\0\1\0\0\0\x78\0\x16\x09txtvers=1\x0bpath=/ship/"
        b"\xc0\x29\0\1\0\1\0\0\0\x78\0\4\x0a\0\0\x05"
    )


def test_where_the_port_is_shared_a_probe_asks_for_multicast_answers():
    responder = Responder(node(), 0, no_random)
    responder.has_own_port = False
    responder.tick(0)
    ((packet, _),) = responder.take()
    assert read(packet)[2][0] == [(INSTANCE, ANY, IN), (HOST, ANY, IN)]


def test_an_announcement_has_all_records_and_flushes_the_unique_ones():
    responder = Responder(node(), 0, no_random)
    _, packet = run(responder, 750)[3]
    assert packet == (
        b"\0\0\x84\0\0\0\0\5\0\0\0\0"
        b"\x09_services\x07_dns-sd\x04_udp\x05local\0\0\x0c\0\1\0\0\0\x78\0\x0d"
        b"\x05_ship\x04_tcp\xc0\x23"
        b"\xc0\x34\0\x0c\0\1\0\0\0\x78\0\x09\x06EVSE 1\xc0\x34"
        b"\xc0\x4d\0\x21\x80\1\0\0\0\x78\0\x0f\0\0\0\0\x12\x68\x06evse-1\xc0\x23"
        b"\xc0\x4d\0\x10\x80\1\0\0\0\x78\0\x16\x09txtvers=1\x0bpath=/ship/"
        b"\xc0\x68\0\1\x80\1\0\0\0\x78\0\4\x0a\0\0\x05"
    )
    assert read(packet)[2][1] == [
        (SERVICES, PTR, IN, 120, TYPE),
        (TYPE, PTR, IN, 120, INSTANCE),
        (INSTANCE, SRV, IN | TOP, 120, (4712, HOST)),
        (INSTANCE, TXT, IN | TOP, 120, TXT_RDATA),
        (HOST, A, IN | TOP, 120, b"\x0a\0\0\5"),
    ]


def test_nothing_is_answered_before_the_names_are_ours():
    responder = Responder(node(), 0, no_random)
    run(responder, 500)
    for port in (PORT, 40_000):
        packet = message(QUERY, [question(HOST, A), question(TYPE, PTR)])
        responder.received(packet, PEER, port, 600)
    assert run(responder, 749) == []


def test_a_late_tick_does_not_hurry_the_probes():
    responder = Responder(node(), 0, no_random)
    responder.tick(10_000)
    responder.tick(10_001)
    assert len(responder.take()) == 1
    assert responder.deadline() == 10_250


# --- conflicts while probing


def test_an_instance_in_use_is_renamed():
    responder = Responder(node(), 0, no_random)
    run(responder, 300)
    hear(responder, 300, [record(INSTANCE, SRV, srv("other.local"))])
    assert responder.service.instance == "EVSE 1 (2)"
    assert responder.service.host == "evse-1"
    sent = run(responder, 60_000, 300)
    assert [now for now, _ in sent] == [300, 550, 800, 1_050, 2_050]
    assert (TYPE, PTR, IN, 120, "EVSE 1 (2)." + TYPE) in read(sent[3][1])[2][1]
    assert responder.is_announced and responder.conflicts == 1


def test_a_host_in_use_is_renamed():
    responder = Responder(node(), 0, no_random)
    run(responder, 300)
    hear(responder, 300, [record(HOST, 28, bytes(16))])  # of whatever type
    assert responder.service.instance == "EVSE 1"
    assert responder.service.host == "evse-1-2"
    sent = run(responder, 60_000, 300)
    assert (INSTANCE, SRV, IN | TOP, 120, (4712, "evse-1-2.local")) in read(sent[3][1])[2][1]


def test_names_count_up_until_one_is_free():
    responder = Responder(node(), 0, no_random)
    now = 0
    for number in ("", " (2)", " (3)"):
        run(responder, now + 100)
        theirs = record("EVSE 1%s.%s" % (number, TYPE), TXT, b"\x01x")
        hear(responder, now + 100, [theirs])
        now += 100
    assert responder.service.instance == "EVSE 1 (4)"


def test_a_new_name_keeps_to_63_bytes_and_whole_characters():
    responder = Responder(node(instance="ä" * 31, host="h" * 63), 0, no_random)
    run(responder, 0)
    hear(responder, 0, [record("ä" * 31 + "." + TYPE, TXT, b"\0")])
    hear(responder, 0, [record("h" * 63 + ".local", A, bytes(4))])
    assert responder.service.instance == "ä" * 29 + " (2)"
    assert responder.service.host == "h" * 61 + "-2"


def test_what_we_would_say_ourselves_is_no_conflict():
    responder = Responder(node(), 0, no_random)
    run(responder, 300)
    hear(responder, 300, ours())
    hear(responder, 300, [record(INSTANCE, SRV, srv("other.local"), 0)])  # a goodbye
    hear(responder, 300, [record(INSTANCE, 47, name(INSTANCE) + b"\0\1\1")])
    assert responder.conflicts == 0
    assert [now for now, _ in run(responder, 1_000)] == [500, 750]


def test_after_fifteen_conflicts_in_ten_seconds_attempts_are_five_seconds_apart():
    responder = Responder(node(), 0, no_random)

    def conflict(now):
        run(responder, now)
        hear(responder, now, [record(responder.service.instance + "." + TYPE, 99, b"x")])
        return responder.deadline() - now

    for i in range(14):
        assert conflict(10 * i) == 250  # until the second probe; the first left at once
    assert conflict(140) == 5_000
    assert conflict(5_500) == 5_000
    assert conflict(10_001) == 250  # ten seconds later it starts afresh
    assert responder.conflicts == 17 and responder.service.instance == "EVSE 1 (18)"


# --- simultaneous probes


def test_the_greater_of_two_simultaneous_probes_wins():
    # Ours: SRV to port 4712, TXT; compared are type 16 first, then 33
    greater = [record(INSTANCE, SRV, srv(port=4713)), record(INSTANCE, TXT, TXT_RDATA)]
    smaller = [record(INSTANCE, SRV, srv(port=4711)), record(INSTANCE, TXT, TXT_RDATA)]
    equal = [record(INSTANCE, SRV, srv()), record(INSTANCE, TXT, TXT_RDATA)]
    for theirs, is_lost in ((greater, True), (smaller, False), (equal, False)):
        responder = Responder(node(), 0, no_random)
        run(responder, 300)
        rival(responder, 300, theirs)
        assert responder.deadline() == (1_300 if is_lost else 500)
        assert responder.service.instance == "EVSE 1"


def test_a_rival_is_not_looked_at_before_our_own_first_probe():
    responder = Responder(node(), 0, lambda count: b"\0\x64")
    rival(responder, 50, [record(INSTANCE, SRV, srv(port=4713))])
    assert responder.deadline() == 100


def test_the_order_of_a_rivals_records_does_not_matter():
    responder = Responder(node(), 0, no_random)
    run(responder, 300)
    rival(responder, 300, [record(INSTANCE, TXT, TXT_RDATA), record(INSTANCE, SRV, srv())])
    assert responder.deadline() == 500


def test_the_type_counts_before_the_data_and_more_records_win_over_fewer():
    for theirs, is_lost in (
        ([record(INSTANCE, SRV, bytes(7))], True),  # 33 > 16
        ([record(INSTANCE, TXT, TXT_RDATA)], False),  # a part of ours
        ([record(INSTANCE, A, b"\xff\xff\xff\xff")], False),  # 1 < 16
        ([record(HOST, A, b"\x0a\0\0\6")], True),
        ([record(HOST, A, b"\x0a\0\0\5"), record(HOST, A, b"\x0a\0\0\6")], True),
        ([record(HOST, A, b"\x0a\0\0\4")], False),
    ):
        responder = Responder(node(), 0, no_random)
        run(responder, 300)
        rival(responder, 300, theirs)
        assert (responder.deadline() == 1_300) == is_lost, theirs


def test_the_loser_meets_the_winner_a_second_later_and_takes_another_name():
    responder = Responder(node(), 0, no_random)
    run(responder, 300)
    rival(responder, 300, [record(INSTANCE, SRV, srv(port=4713))])
    hear(responder, 900, [record(INSTANCE, SRV, srv(port=4713), 120, IN | TOP)])
    assert responder.service.instance == "EVSE 1 (2)"


def test_two_nodes_with_the_same_name_that_start_together_end_with_two_names():
    a = Responder(node(port=1_000, host="a"), 0, no_random)
    b = Responder(node(port=2_000, host="b"), 0, no_random)
    now = 0
    while now <= 5_000:
        for sender, receiver in ((a, b), (b, a)):
            sender.tick(now)
            for packet, _ in sender.take():
                receiver.received(memoryview(packet), PEER, PORT, now)
        now += 10
    assert a.is_announced and b.is_announced
    assert sorted([a.service.instance, b.service.instance]) == ["EVSE 1", "EVSE 1 (2)"]
    assert [a.service.host, b.service.host] == ["a", "b"]


def test_a_foreign_implementations_probe_is_understood():
    for port, deadline in ((4712, 500), (4710, 1_300)):  # against port 4711
        service = node(instance="Demo-HEMS-123456789", txt=[b"cat=2"], port=port)
        responder = Responder(service, 0, no_random)
        run(responder, 300)
        responder.received(memoryview(FOREIGN_PROBE), PEER, PORT, 300)
        assert responder.deadline() == deadline


# --- after the announcement


def test_a_probe_for_our_name_is_answered_by_multicast_at_once():
    responder = Responder(node(), 0, no_random)
    run(responder, 5_000)
    rival(responder, 6_000, [record(INSTANCE, SRV, srv(port=9))])
    ((packet, destination),) = responder.take()
    assert destination is None
    assert kinds(packet) == ([SRV, TXT], [A])
    # Defence may be repeated four times per second
    rival(responder, 6_100, [record(INSTANCE, SRV, srv(port=9))])
    assert responder.take() == [] and responder.deadline() == 6_250
    assert responder.is_announced


def test_a_conflict_with_a_name_that_is_ours_makes_us_probe_again_under_it():
    responder = Responder(node(), 0, no_random)
    run(responder, 5_000)
    hear(responder, 6_000, [record(INSTANCE, SRV, srv(port=9), 120, IN | TOP)])
    assert not responder.is_announced and responder.conflicts == 1
    assert responder.service.instance == "EVSE 1"
    sent = run(responder, 60_000, 6_000)
    assert [now for now, _ in sent] == [6_000, 6_250, 6_500, 6_750, 7_750]
    assert responder.is_announced


def test_who_defends_the_name_against_our_new_probe_gets_it():
    responder = Responder(node(), 0, no_random)
    run(responder, 5_000)
    for now in (6_000, 6_100):
        run(responder, now)
        hear(responder, now, [record(INSTANCE, SRV, srv(port=9), 120, IN | TOP)])
    assert responder.service.instance == "EVSE 1 (2)"
    run(responder, 60_000)
    assert responder.is_announced


def test_other_records_of_our_names_are_no_conflict_once_they_are_ours():
    responder = Responder(node(), 0, no_random)
    run(responder, 5_000)
    hear(responder, 6_000, [record(INSTANCE, 99, b"x"), record(HOST, 28, bytes(16))])
    hear(responder, 6_000, [record(INSTANCE, SRV, srv(port=9), 120, 3)])  # of another class
    hear(responder, 6_000, ours())
    assert responder.is_announced and responder.conflicts == 0


def test_a_question_repeated_in_a_response_is_no_conflict():
    responder = Responder(node(), 0, no_random)
    run(responder, 5_000)
    theirs = [record("x.local", A, bytes(4))]
    packet = message(RESPONSE, [question(INSTANCE, SRV), question(HOST, A)], theirs)
    for _ in range(2):
        responder.received(packet, PEER, PORT, 6_000)
    assert responder.is_announced and responder.conflicts == 0


def test_what_another_node_announces_does_not_replace_our_announcement():
    responder = Responder(node(), 0, no_random)
    run(responder, 800)
    hear(responder, 900, [record(SERVICES, PTR, name(TYPE))])
    ((now, packet),) = run(responder, 60_000)
    assert now == 1_750 and len(read(packet)[2][1]) == 5


def test_our_own_announcement_heard_again_changes_nothing():
    responder = Responder(node(), 0, no_random)
    _, announcement = run(responder, 800)[3]
    responder.received(memoryview(announcement), PEER, PORT, 800)
    assert responder.conflicts == 0
    assert [now for now, _ in run(responder, 60_000)] == [1_750]


def test_a_new_address_is_probed_and_announced():
    responder = Responder(node(), 0, no_random)
    run(responder, 5_000)
    responder.set_addresses([b"\x0a\0\0\x05"], 6_000)
    assert responder.is_announced  # the same as before
    responder.set_addresses([b"\x0a\0\0\x06"], 6_000)
    sent = run(responder, 60_000)
    assert [now for now, _ in sent] == [6_000, 6_250, 6_500, 6_750, 7_750]
    assert (HOST, A, IN | TOP, 120, b"\x0a\0\0\x06") in read(sent[4][1])[2][1]


def test_the_rate_limit_outlives_a_change_of_address():
    responder = Responder(node(), 0, no_random)
    run(responder, 760)  # announced at 750
    responder.set_addresses([b"\x0a\0\0\x06"], 770)
    sent = run(responder, 60_000)
    assert [now for now, _ in sent] == [770, 1_020, 1_270, 1_750, 2_750]


def test_strings_changed_while_probing_are_those_announced():
    responder = Responder(node(), 0, no_random)
    run(responder, 300)
    responder.set_txt([b"a=b"], 400)
    assert responder.take() == []
    sent = run(responder, 60_000)
    assert [now for now, _ in sent] == [500, 750, 1_750]
    assert (INSTANCE, TXT, IN | TOP, 120, b"\x03a=b") in read(sent[1][1])[2][1]


def test_services_that_cannot_be_announced_are_refused():
    for wrong in (
        {"instance": ""},
        {"instance": "x" * 64},
        {"host": "a.local"},
        {"host": "x" * 64},
        {"port": 0},
        {"port": 65_536},
        {"addresses": []},
        {"addresses": [b"\x0a\0\0"]},
        {"addresses": [bytes(4)] * 5},
        {"txt": [b""]},
        {"txt": [b"x" * 256]},
        {"txt": [b"x" * 200, b"x" * 199]},
    ):
        try:
            node(**wrong)
        except ValueError:
            pass
        else:
            assert False, wrong
    node(instance="x" * 63, host="y" * 63, txt=[b"x" * 200, b"x" * 198], addresses=[bytes(4)] * 4)
