package main

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	discovery "k8s.io/api/discovery/v1"
	networking "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

// Changes within one such moment are taken together.
const moment = 50 * time.Millisecond

// stores is where each host name leads: to the addresses of the pods that are ready, which may be none.
type stores struct {
	table atomic.Pointer[map[string][]string]
}

// find says whether a request's host is a store's, and the address of one of its ready pods, if any.
func (s *stores) find(host string) (address string, known bool) {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	ready, known := (*s.table.Load())[strings.ToLower(strings.TrimSuffix(host, "."))]
	if len(ready) > 0 {
		address = ready[rand.IntN(len(ready))]
	}
	return address, known
}

// watch returns when all stores are known, and follows them from then on. While the API server is away, what was
// known stays.
func watch(ctx context.Context, config *rest.Config, class string) (*stores, error) {
	config.ContentType = "application/vnd.kubernetes.protobuf"
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	changed := make(chan struct{}, 1)
	tell := func(any) {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithTransform(slim))
	ingresses, endpoints := factory.Networking().V1().Ingresses(), factory.Discovery().V1().EndpointSlices()
	for _, each := range []cache.SharedIndexInformer{ingresses.Informer(), endpoints.Informer()} {
		if _, err := each.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc: tell, UpdateFunc: func(_, object any) { tell(object) }, DeleteFunc: tell,
		}); err != nil {
			return nil, err
		}
	}
	s := &stores{}
	write := func() {
		// Both are caches, and a cache fails only by what it was made with.
		some, _ := ingresses.Lister().List(labels.Everything())
		others, _ := endpoints.Lister().List(labels.Everything())
		table := tableOf(class, some, others)
		s.table.Store(&table)
	}
	factory.Start(ctx.Done())
	for kind, there := range factory.WaitForCacheSync(ctx.Done()) {
		if !there {
			return nil, fmt.Errorf("ended before all %v were known", kind)
		}
	}
	write()
	go func() {
		for range changed {
			write()
			time.Sleep(moment)
		}
	}()
	return s, nil
}

// slim drops from the caches what nobody here reads.
func slim(object any) (any, error) {
	if one, ok := object.(meta.Object); ok {
		one.SetManagedFields(nil)
		one.SetAnnotations(nil)
	}
	return object, nil
}

// tableOf reads nothing of an Ingress but its class and, for whole host names, the Service of the path `/` and its
// port's name. A host name that several want is the oldest's.
func tableOf(class string, ingresses []*networking.Ingress, slicesOf []*discovery.EndpointSlice) map[string][]string {
	ready := map[string][]string{}
	for _, slice := range slicesOf {
		for _, port := range slice.Ports {
			if port.Name == nil || port.Port == nil {
				continue
			}
			key := slice.Namespace + "/" + slice.Labels[discovery.LabelServiceName] + "/" + *port.Name
			for _, each := range slice.Endpoints {
				if each.Conditions.Ready == nil || *each.Conditions.Ready {
					address := net.JoinHostPort(each.Addresses[0], strconv.Itoa(int(*port.Port)))
					ready[key] = append(ready[key], address)
				}
			}
		}
	}
	slices.SortFunc(ingresses, func(a, b *networking.Ingress) int {
		return cmp.Or(
			a.CreationTimestamp.Compare(b.CreationTimestamp.Time),
			cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name),
		)
	})
	table := map[string][]string{}
	for _, one := range ingresses {
		if one.Spec.IngressClassName == nil || *one.Spec.IngressClassName != class {
			continue
		}
		for _, rule := range one.Spec.Rules {
			service := serviceOf(rule)
			if _, taken := table[rule.Host]; taken || service == nil || strings.HasPrefix(rule.Host, "*") {
				continue
			}
			table[rule.Host] = ready[one.Namespace+"/"+service.Name+"/"+service.Port.Name]
		}
	}
	return table
}

func serviceOf(rule networking.IngressRule) *networking.IngressServiceBackend {
	if rule.Host == "" || rule.HTTP == nil {
		return nil
	}
	for _, path := range rule.HTTP.Paths {
		if path.Path == "/" {
			return path.Backend.Service
		}
	}
	return nil
}
