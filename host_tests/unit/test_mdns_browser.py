"""The browser: questions, peers found, changed and lost; in virtual time."""

from test_mdns_messages import (
    AAAA,
    ADDRESS,
    ADDRESS_6,
    HOST,
    IN,
    INSTANCE,
    PTR,
    QUERY,
    RESPONSE,
    SRV,
    TOP,
    TXT,
    TXT_RDATA,
    TYPE,
    A,
    message,
    name,
    no_random,
    ours,
    question,
    read,
    record,
    run,
    srv,
)

from mdns.browser import CHANGED, FOUND, LOST, Browser

PORT = 5353
MINUTE = 60_000


def hear(browser, now, answers, additional=(), port=PORT):
    """Hand over a response; return what it changes as [(kind, instance)]."""
    packet = message(RESPONSE, [], answers, (), additional)
    browser.received(memoryview(packet), port, now)
    return events(browser)


def events(browser):
    return [(kind, peer.instance) for kind, peer in browser.events()]


def asked(packet):
    return [(owner, kind) for owner, kind, _ in read(packet)[2][0]]


def other_peer(number):
    instance = "P%d.%s" % (number, TYPE)
    return [
        record(TYPE, PTR, name(instance)),
        record(instance, SRV, srv()),
        record(instance, TXT, TXT_RDATA),
        record(HOST, A, ADDRESS),
    ]


def test_the_question_goes_out_in_doubling_intervals_up_to_an_hour():
    browser = Browser(0, no_random)
    times = [now for now, _ in run(browser, 4 * 3_600_000)]
    assert times[:5] == [20, 1_020, 3_020, 7_020, 15_020]
    gaps = [b - a for a, b in zip(times, times[1:])]
    assert max(gaps) == 3_600_000 and gaps[-2] == 3_600_000


def test_the_first_question_waits_20_to_120_ms():
    assert Browser(0, lambda count: b"\x64").deadline() == 120
    assert Browser(0, lambda count: b"\x65").deadline() == 20


def test_the_question_is_one_for_ptr_records():
    browser = Browser(0, no_random)
    _, packet = run(browser, 20)[0]
    assert packet == (b"\0\0\0\0\0\1\0\0\0\0\0\0\x05_ship\x04_tcp\x05local\0\0\x0c\0\1")


def test_a_peer_is_found_from_one_answer_in_any_order():
    for answers, additional in ((ours(), ()), (ours()[:1], list(reversed(ours()[1:])))):
        browser = Browser(0, no_random)
        assert hear(browser, 100, answers, additional) == [(FOUND, "EVSE 1")]
        (peer,) = browser.peers
        assert peer.is_found and peer.port == 4712 and peer.addresses == [ADDRESS]
        assert peer.txt == TXT_RDATA and peer.host == b"\x06evse-1\x05local\x00"
        assert hear(browser, 200, answers, additional) == []


def test_what_is_missing_is_asked_for():
    browser = Browser(0, no_random)
    run(browser, 20)
    assert hear(browser, 30, ours()[:1]) == []
    assert not browser.peers[0].is_found
    sent = run(browser, 500)
    assert [now for now, _ in sent] == [80]
    assert asked(sent[0][1]) == [(TYPE, PTR), (INSTANCE, SRV), (INSTANCE, TXT)]
    sent = [(now, p) for now, p in run(browser, 20_000) if (INSTANCE, SRV) in asked(p)]
    assert [now for now, _ in sent] == [1_080, 3_080, 7_080, 15_080]
    hear(browser, 20_000, ours()[1:3])
    sent = [p for _, p in run(browser, 40_000) if (INSTANCE, SRV) in asked(p)]
    assert (HOST, A) in asked(sent[0])
    assert hear(browser, 40_000, ours()[3:]) == [(FOUND, "EVSE 1")]


def test_changes_of_strings_port_and_address_are_told_once_each():
    browser = Browser(0, no_random)
    hear(browser, 0, ours())
    txt = record(INSTANCE, TXT, b"\x0dregister=true", 120, IN | TOP)
    assert hear(browser, 1_000, [txt]) == [(CHANGED, "EVSE 1")]
    assert hear(browser, 1_100, [txt]) == []
    assert browser.peers[0].txt == b"\x0dregister=true"
    assert hear(browser, 2_000, [record(INSTANCE, SRV, srv(port=1))]) == [(CHANGED, "EVSE 1")]
    assert browser.peers[0].port == 1
    moved = record(HOST, A, b"\x0a\0\0\x09", 120, IN | TOP)
    assert hear(browser, 3_000, [moved]) == [(CHANGED, "EVSE 1")]
    assert browser.peers[0].addresses == [b"\x0a\0\0\x09"]


def test_only_the_cache_flush_bit_replaces_addresses_and_only_of_its_family():
    browser = Browser(0, no_random)
    hear(browser, 0, ours())
    hear(browser, 10, [record(HOST, A, b"\x0a\0\0\x09")])
    assert browser.peers[0].addresses == [ADDRESS, b"\x0a\0\0\x09"]
    hear(browser, 20, [record(HOST, AAAA, ADDRESS_6, 120, IN | TOP)])
    assert browser.peers[0].addresses == [ADDRESS, b"\x0a\0\0\x09", ADDRESS_6]
    hear(browser, 30, [record(HOST, A, b"\x0a\0\0\x07", 120, IN | TOP)])
    assert browser.peers[0].addresses == [ADDRESS_6, b"\x0a\0\0\x07"]


def test_an_address_that_is_taken_back_is_not_taken_in():
    browser = Browser(0, no_random)
    hear(browser, 0, ours())
    assert hear(browser, 10, [record(HOST, A, b"\x0a\0\0\x09", 0, IN | TOP)]) == []
    assert browser.peers[0].addresses == [ADDRESS]


def test_a_goodbye_takes_effect_after_a_second():
    browser = Browser(0, no_random)
    hear(browser, 0, ours())
    assert hear(browser, 5_000, ours(0)) == []
    run(browser, 5_999)
    assert events(browser) == []
    run(browser, 6_000)
    assert events(browser) == [(LOST, "EVSE 1")]
    assert browser.peers == []


def test_a_goodbye_that_somebody_contradicts_has_no_effect():
    browser = Browser(0, no_random)
    hear(browser, 0, ours())
    hear(browser, 5_000, ours(0))
    hear(browser, 5_500, ours())
    run(browser, 10_000)
    assert events(browser) == [] and browser.peers[0].is_found


def test_a_peer_is_asked_for_at_80_85_90_95_percent_and_lost_at_the_end():
    browser = Browser(0, no_random)
    run(browser, 2 * MINUTE)  # the regular questions are 65, 131, 262 s after the start
    hear(browser, 2 * MINUTE, ours())
    start = 2 * MINUTE
    sent = [(now - start, p) for now, p in run(browser, 5 * MINUTE)]
    refresh = [now for now, p in sent if (INSTANCE, SRV) in asked(p)]
    assert refresh == [96_000, 102_000, 108_000, 114_000]
    assert events(browser) == [(LOST, "EVSE 1")] and browser.peers == []


def test_the_loss_is_told_when_the_shorter_record_runs_out():
    browser = Browser(0, no_random)
    records = ours()
    records[0] = record(TYPE, PTR, name(INSTANCE), 4_500)
    hear(browser, 0, records)
    run(browser, 119_999)
    assert events(browser) == []
    run(browser, 120_000)
    assert events(browser) == [(LOST, "EVSE 1")]


def test_a_refreshed_record_moves_the_questions():
    browser = Browser(0, no_random)
    hear(browser, 0, [ours()[0]] + ours(4_500)[1:])
    run(browser, 50_000)
    hear(browser, 50_000, [ours()[0]])
    sent = [now for now, p in run(browser, 160_000) if (INSTANCE, SRV) in asked(p)]
    assert sent == [146_000, 152_000, 158_000]


def test_a_refreshed_peer_stays():
    browser = Browser(0, no_random)
    for now in range(0, 10 * MINUTE, 100_000):
        run(browser, now)
        hear(browser, now, ours())
    assert browser.peers[0].is_found and events(browser) == []


def test_known_answers_are_listed_until_half_of_their_life():
    browser = Browser(0, no_random)
    run(browser, 20)
    hear(browser, 500, ours())
    ((now, packet),) = run(browser, 1_020)
    assert packet == (
        b"\0\0\0\0\0\1\0\1\0\0\0\0\x05_ship\x04_tcp\x05local\0\0\x0c\0\1"
        b"\xc0\x0c\0\x0c\0\1\0\0\0\x77\0\x09\x06EVSE 1\xc0\x0c"
    )
    ((now, packet),) = [entry for entry in run(browser, 64_000) if entry[0] > 60_500]
    assert (now, read(packet)[2][1]) == (63_020, [])


def test_the_number_of_peers_is_bounded():
    browser = Browser(0, no_random)
    for number in range(10):
        hear(browser, 0, other_peer(number))
    assert len(browser.peers) == 8
    gone = record(TYPE, PTR, name("P0." + TYPE), 0)
    hear(browser, 10, [gone])
    run(browser, 1_010)
    assert hear(browser, 1_100, other_peer(9)) == [(LOST, "P0"), (FOUND, "P9")]


def test_addresses_strings_and_events_are_bounded():
    browser = Browser(0, no_random)
    hear(browser, 0, ours())
    more = [record(HOST, A, bytes([10, 0, 0, i])) for i in range(10, 20)]
    hear(browser, 1_000, more)
    assert len(browser.peers[0].addresses) == 4
    long = (b"\xff" + b"x" * 255) * 2
    assert hear(browser, 2_000, [record(INSTANCE, TXT, long + b"\x00")]) == []
    assert hear(browser, 2_000, [record(INSTANCE, TXT, long)]) == [(CHANGED, "EVSE 1")]
    for i in range(20):
        packet = message(RESPONSE, [], [record(INSTANCE, SRV, srv(port=i + 1))])
        browser.received(packet, PORT, 3_000)
    assert len(events(browser)) == 16


def test_very_short_lives_do_not_make_us_ask_all_the_time():
    browser = Browser(0, no_random)
    run(browser, 2 * MINUTE)
    hear(browser, 2 * MINUTE, ours(1))
    assert len(run(browser, 2 * MINUTE + 14_999)) <= 5
    assert len(browser.peers) == 1


def test_foreign_names_and_broken_labels_are_ignored():
    browser = Browser(0, no_random)
    for target in ("x._http._tcp.local", "x.y." + TYPE, TYPE):
        hear(browser, 0, [record(TYPE, PTR, name(target))])
    hear(browser, 0, [record("_http._tcp.local", PTR, name("x._http._tcp.local"))])
    hear(browser, 0, [record(TYPE, PTR, b"\x01\xff" + name(TYPE))])
    hear(browser, 0, [record(TYPE, PTR, b"\x00")])
    hear(browser, 0, [record(TYPE, PTR, name(INSTANCE), 120, 3)])
    assert browser.peers == []


def test_queries_responses_from_other_ports_and_malformed_packets_are_ignored():
    browser = Browser(0, no_random)
    browser.received(message(QUERY, [question(TYPE, PTR)], ours()), PORT, 0)
    assert hear(browser, 0, ours(), (), 40_000) == []
    packet = message(RESPONSE, [], ours())
    for length in range(len(packet)):
        browser.received(memoryview(packet)[:length], PORT, 0)
    assert browser.malformed == len(packet)
    assert browser.peers == []


def test_who_is_not_wanted_gives_way_to_others_and_who_is_wanted_stays():
    browser = Browser(0, no_random)
    for number in range(8):
        hear(browser, 0, other_peer(number))
    assert hear(browser, 10, other_peer(8)) == [], "nobody has said who is wanted"
    for peer in browser.peers:
        peer.is_wanted = peer.instance != "P3"
    assert hear(browser, 20, other_peer(8)) == [(LOST, "P3"), (FOUND, "P8")]
    assert hear(browser, 30, other_peer(3)) == [], "all that are left are wanted, or new"
    assert len(browser.peers) == 8


def test_when_somebody_is_missing_the_questions_begin_anew():
    browser = Browser(0, no_random)
    run(browser, 100_000)
    browser.search(100_000)
    times = [now for now, _ in run(browser, 105_000)]
    assert times == [100_020, 101_020, 103_020]
    browser.search(105_000)
    times = [now for now, _ in run(browser, 120_000)]
    assert times == [107_020, 115_020], "not while they are frequent"


def test_who_cannot_be_reached_is_asked_for_and_lost_after_ten_seconds_without_an_answer():
    browser = Browser(0, no_random)
    hear(browser, 0, ours())
    (peer,) = browser.peers
    run(browser, 30_000)
    browser.doubt(peer, 30_000)
    sent = run(browser, 39_990)
    assert sent[0][0] == 30_000 and (INSTANCE, SRV) in asked(sent[0][1])
    assert events(browser) == []
    run(browser, 40_000)
    assert events(browser) == [(LOST, "EVSE 1")]
    browser.doubt(peer, 50_000)
    assert not browser.peers, "too late to doubt"


def test_who_answers_after_all_is_news():
    browser = Browser(0, no_random)
    hear(browser, 0, ours())
    browser.doubt(browser.peers[0], 30_000)
    assert hear(browser, 30_100, ours()) == [(CHANGED, "EVSE 1")]
    assert hear(browser, 31_200, ours()) == []
    run(browser, 100_000)
    assert events(browser) == [], "it has its full life again"


def test_the_name_of_a_host_as_text():
    browser = Browser(0, no_random)
    hear(browser, 0, ours()[:1])
    assert browser.peers[0].host_text() == ""
    hear(browser, 10, ours())
    assert browser.peers[0].host_text() == "evse-1.local"
