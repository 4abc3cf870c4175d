"""What a use case is to the device: an announcement, some timers, and news about partners."""


class UseCase:
    """Base of all use cases. `name` None: a helper that is not announced.

    A use case installs its functions on features of `entity` when it is made and then lives on the
    calls below. `now` is monotonic milliseconds.
    """

    name = None  # useCaseName
    actor = None
    version = "1.0.0"
    scenarios = ()

    def __init__(self, entity):
        self.entity = entity

    def support(self):
        """The `useCaseSupport` entry of the announcement (5.5.6)."""
        return {
            "useCaseName": self.name,
            "useCaseVersion": self.version,
            "useCaseAvailable": True,
            "scenarioSupport": self.scenarios,
            "useCaseDocumentSubRevision": "release",
        }

    def announcement_changed(self):
        """Tell the partners that `name` or `scenarios` changed."""
        root = self.entity.device.find_feature((0,), 0)
        root.changed("nodeManagementUseCaseData")

    def peer_changed(self, peer, now):
        """A partner's structure or use cases are known, or have changed."""

    def peer_lost(self, peer):
        """The connection to a partner has ended."""

    def related(self, kind, peer, client_entity, feature, now):
        """A partner made a new "binding" or "subscription" to one of our features."""

    def tick(self, now):
        """Act on timers that are due."""

    def deadline(self):
        """When `tick` must be called next, or None."""
