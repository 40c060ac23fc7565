"""Names and limits that the command line checks before it imports anything heavy."""

# The two stages of DeconvNet's training, and the networks that are trained in one.
STAGES = (
    "stage1",
    "stage2",
    "fcn8s",
    "fcn16s",
    "fcn32s",
    "segnet",
    "unet",
    "deeplab_largefov",
    "deeplab_aspp",
    "deeplab_aspp_resnet101",
    "pspnet50",
    "pspnet101",
    "frrn_a",
    "frrn_b",
    "fusionnet",
    "deep_contextual",
)
# At a tenth there is little left to recognise, and at ten times 100 times as much to compute. A
# full image enters a network at up to 500 pixels a side: at four times that, a map of 64 channels
# takes a gigabyte, as does a window of 2048.
SCALES = (0.1, 4.0)
MOST_OVERLAP = 0.9
LARGEST_WINDOW = 2048
