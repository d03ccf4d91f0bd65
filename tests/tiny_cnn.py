"""Networks of two convolutions: what trains them, float16 too, takes milliseconds."""

from torch import nn

from skbird.nn._heads import CNN, SED, Mean


class TinyBackbone(nn.Module):
    """Patches of 16 bands and 4 frames, then a depthwise convolution."""

    num_features = 8
    feature_info = ({"module": "bn1"}, {"module": "bn2"})

    def __init__(self):
        super().__init__()
        self.conv_stem = nn.Conv2d(
            1, 8, kernel_size=(16, 4), stride=(16, 4), bias=False
        )
        self.bn1 = nn.BatchNorm2d(8)
        self.depthwise = nn.Conv2d(8, 8, kernel_size=3, padding=1, groups=8)
        self.bn2 = nn.BatchNorm2d(8)

    def forward_features(self, x):
        x = self.bn1(self.conv_stem(x)).relu()
        return self.bn2(self.depthwise(x)).relu()


class TinyCNN(CNN):
    """A `CNN` that takes no notice of the backbone that it is given."""

    def __init__(self, backbone, n_species, drop_rate=0.2, **options):
        nn.Module.__init__(self)
        self.backbone = TinyBackbone()
        self.feature_pooling = Mean()
        self.dropout = nn.Dropout(drop_rate)
        self.classifier = nn.Linear(self.backbone.num_features, n_species)


class TinySED(TinyCNN, SED):
    """The same with attention."""

    def __init__(self, backbone, n_species, attention, step_pooling, **options):
        super().__init__(backbone, n_species, **options)
        channels = self.backbone.num_features
        self.attention_axis = attention
        self.attention = nn.Conv1d(channels, 1, kernel_size=1)
        self.classifier = nn.Conv1d(channels, n_species, kernel_size=1)
        self.step_pooling = step_pooling
