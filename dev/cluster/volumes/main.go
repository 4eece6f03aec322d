// Command volumes gives each claim of its storage class a folder on this node, as a local volume, and lets it grow.
//
// The node's own disk is all there is, so sizes are not enforced, and to grow is to say so. A local volume, unlike a host path, gets
// its group from the pod's fsGroup, as a disk in the cloud does.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/sig-storage-lib-external-provisioner/v13/controller"
)

const provisioner = "urumi.dev/node-folders"

type folders struct {
	root string
	node string
}

func (f folders) Provision(_ context.Context, asked controller.ProvisionOptions) (*core.PersistentVolume, controller.ProvisioningState, error) {
	folder := filepath.Join(f.root, asked.PVName)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, controller.ProvisioningFinished, err
	}
	mode := core.PersistentVolumeFilesystem
	onThisNode := core.NodeSelectorRequirement{
		Key: core.LabelHostname, Operator: core.NodeSelectorOpIn, Values: []string{f.node},
	}
	volume := &core.PersistentVolume{
		ObjectMeta: meta.ObjectMeta{Name: asked.PVName},
		Spec: core.PersistentVolumeSpec{
			PersistentVolumeReclaimPolicy: *asked.StorageClass.ReclaimPolicy,
			AccessModes:                   asked.PVC.Spec.AccessModes,
			VolumeMode:                    &mode,
			Capacity: core.ResourceList{
				core.ResourceStorage: asked.PVC.Spec.Resources.Requests[core.ResourceStorage],
			},
			PersistentVolumeSource: core.PersistentVolumeSource{Local: &core.LocalVolumeSource{Path: folder}},
			NodeAffinity: &core.VolumeNodeAffinity{Required: &core.NodeSelector{
				NodeSelectorTerms: []core.NodeSelectorTerm{
					{MatchExpressions: []core.NodeSelectorRequirement{onThisNode}},
				},
			}},
		},
	}
	return volume, controller.ProvisioningFinished, nil
}

func (f folders) Delete(_ context.Context, volume *core.PersistentVolume) error {
	folder := volume.Spec.Local.Path
	if filepath.Dir(folder) != f.root || !strings.HasPrefix(filepath.Base(folder), "pvc-") {
		return fmt.Errorf("%s is not a folder of this provisioner", folder)
	}
	return os.RemoveAll(folder)
}

// growth makes the volume of each claim that asks for more as large as that, and then says so in the claim.
type growth struct {
	client kubernetes.Interface
	claims cache.SharedIndexInformer
	queue  workqueue.TypedRateLimitingInterface[string]
}

func (g growth) run(ctx context.Context) {
	changed := func(object any) {
		if claim := object.(*core.PersistentVolumeClaim); asksForMore(claim) {
			g.queue.Add(cache.MetaObjectToName(claim).String())
		}
	}
	if _, err := g.claims.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: changed, UpdateFunc: func(_, object any) { changed(object) },
	}); err != nil {
		panic(err) // only of a stopped informer
	}
	go g.claims.RunWithContext(ctx)
	context.AfterFunc(ctx, g.queue.ShutDown)
	for key, over := g.queue.Get(); !over; key, over = g.queue.Get() {
		if err := g.look(ctx, key); err == nil {
			g.queue.Forget(key)
		} else {
			fmt.Fprintf(os.Stderr, "%s does not grow yet: %v\n", key, err)
			g.queue.AddRateLimited(key)
		}
		g.queue.Done(key)
	}
}

func (g growth) look(ctx context.Context, key string) error {
	found, there, err := g.claims.GetStore().GetByKey(key)
	if err != nil || !there || !asksForMore(found.(*core.PersistentVolumeClaim)) {
		return err
	}
	if err := g.grow(ctx, found.(*core.PersistentVolumeClaim)); !errors.IsNotFound(err) {
		return err
	}
	return nil // it is gone
}

func (g growth) grow(ctx context.Context, claim *core.PersistentVolumeClaim) error {
	volume, err := g.client.CoreV1().PersistentVolumes().Get(ctx, claim.Spec.VolumeName, meta.GetOptions{})
	if err != nil || volume.Annotations["pv.kubernetes.io/provisioned-by"] != provisioner {
		return err
	}
	size := claim.Spec.Resources.Requests.Storage().String()
	// First the volume: whoever dies in between finds the claim still asking.
	if smaller(volume.Spec.Capacity, claim) {
		patch := fmt.Sprintf(`{"spec":{"capacity":{"storage":%q}}}`, size)
		if _, err := g.client.CoreV1().PersistentVolumes().Patch(ctx, volume.Name, types.MergePatchType, []byte(patch), meta.PatchOptions{}); err != nil {
			return err
		}
	}
	patch := fmt.Sprintf(`{"status":{"capacity":{"storage":%q}}}`, size)
	_, err = g.client.CoreV1().PersistentVolumeClaims(claim.Namespace).Patch(ctx, claim.Name, types.MergePatchType, []byte(patch), meta.PatchOptions{}, "status")
	return err
}

func asksForMore(claim *core.PersistentVolumeClaim) bool {
	return claim.Status.Phase == core.ClaimBound && smaller(claim.Status.Capacity, claim)
}

func smaller(capacity core.ResourceList, claim *core.PersistentVolumeClaim) bool {
	return capacity.Storage().Cmp(*claim.Spec.Resources.Requests.Storage()) < 0
}

// tries has what failed tried again for ever, soon at first.
func tries() workqueue.TypedRateLimiter[string] {
	return workqueue.NewTypedItemExponentialFailureRateLimiter[string](time.Second, 15*time.Second)
}

func main() {
	root := flag.String("folder", "", "where the volumes' folders are")
	node := flag.String("node", "", "the name of this node")
	kubeconfig := flag.String("kubeconfig", "", "how to reach the API server")
	flag.Parse()
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	config.QPS, config.Burst = 100, 200
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	client := kubernetes.NewForConfigOrDie(config)
	claims := informers.NewSharedInformerFactory(client, 0).Core().V1().PersistentVolumeClaims().Informer()
	go growth{client, claims, workqueue.NewTypedRateLimitingQueue(tries())}.run(ctx)
	// One process for one node: nobody to elect.
	controller.NewProvisionController(ctx, client, provisioner, folders{*root, *node},
		controller.LeaderElection(false), controller.MetricsPort(0), controller.RateLimiter(tries()),
		controller.FailedProvisionThreshold(0), controller.FailedDeleteThreshold(0),
	).Run(ctx)
}
